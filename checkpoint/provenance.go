package checkpoint

import "runtime/debug"

// Revision is a version of the program's source, as receipts name it.
type Revision struct {
	Commit string // "": not known
	Dirty  bool   // there were changes that were not committed
}

// BuildRevision returns the revision that this program was built from, if it
// was built by go build in a repository: go run and go test leave it out.
func BuildRevision() Revision {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Revision{}
	}
	return revisionIn(info.Settings)
}

func revisionIn(settings []debug.BuildSetting) (r Revision) {
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			r.Commit = s.Value
		case "vcs.modified":
			r.Dirty = s.Value == "true"
		}
	}
	return r
}

// orBuilt returns r, or where the caller told none the program's.
func (r *Revision) orBuilt() *Revision {
	if r != nil {
		return r
	}
	built := BuildRevision()
	return &built
}

// ContinueFrom tells the Manager which checkpoint the objects now are from,
// "run/path" if it is another run's, where it has not restored it itself: the
// receipts of later saves name it, until the next RestoreOrInitialize.
func (m *Manager) ContinueFrom(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from = path
}

// provenance fills in where a checkpoint comes from.
func (m *Manager) provenance(r *Receipt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Run, r.RestoredFrom = m.o.Run, m.from
	r.Commit, r.Dirty = m.o.Revision.Commit, m.o.Revision.Dirty
}

// stamp names the program's revision in the receipt of a save that no manager
// made: a manager knows it already, or another that it was told of.
func (r *Receipt) stamp() {
	if r.Writer == WriterManager {
		return
	}
	built := BuildRevision()
	r.Commit, r.Dirty = built.Commit, built.Dirty
}
