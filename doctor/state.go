package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// maxOld bounds what is read of a state file that cannot be understood.
const maxOld = 64 << 20

// checkState compares the state file with the directory.
func (x *examiner) checkState(ctx context.Context) error {
	s, err := checkpoint.ReadState(ctx, x.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.stateMissing()
		return nil
	case err != nil && !isDamage(err):
		return err
	}
	if n := len(s.AllModelCheckpointTimestamps); err == nil && n != 0 && n != len(s.AllModelCheckpointPaths) {
		err = fmt.Errorf("%d timestamps for %d paths", n, len(s.AllModelCheckpointPaths))
	}
	if err != nil {
		return x.stateBroken(ctx, err)
	}
	return x.compareState(ctx, s)
}

// aboutState is a finding about the state file that writing s anew mends.
func (x *examiner) aboutState(kind Kind, s checkpoint.State) Finding {
	f := Finding{Kind: kind, Severity: Problem, Files: []string{filename.State}, step: stepState}
	if s.ModelCheckpointPath == "" {
		f.Fix = "nothing: there is no whole checkpoint that it could name"
		return f
	}
	f.Fixable = true
	f.Fix = "writes one that names " + s.ModelCheckpointPath
	if n := len(s.AllModelCheckpointTimestamps); n > 0 {
		f.Fix += fmt.Sprintf(" and lists %s", plural(n, "checkpoint"))
	}
	f.mend = func(ctx context.Context) error {
		if kind != StateEntry { // which names what it has named
			if err := x.vouch(ctx, s.ModelCheckpointPath); err != nil {
				return err
			}
		}
		if err := x.keep(ctx, filename.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := x.pinOrphans(ctx); err != nil {
			return err
		}
		return checkpoint.WriteState(ctx, x.dir, s)
	}
	return f
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// stateMissing is a finding only where there should be one: a checkpoint that
// was written by Write alone, TensorFlow's or ours, has none.
func (x *examiner) stateMissing() {
	for _, p := range x.valid {
		r, receipt := x.receipts[p]
		_, _, numbered := filename.SplitNumber(p)
		saved := r.Writer == checkpoint.WriterManager || r.Writer == checkpoint.WriterSave
		if saved || !receipt && numbered && filename.OfDirectory(p) {
			f := x.aboutState(StateMissing, x.rebuilt(old{}))
			f.What = "the state file is missing"
			f.Why = "there are checkpoints of those who write one, " + p + " for one"
			x.find(f)
			return
		}
	}
}

func (x *examiner) stateBroken(ctx context.Context, why error) error {
	text, err := x.readOld(ctx)
	if err != nil {
		return err
	}
	f := x.aboutState(StateBroken, x.rebuilt(salvage(text)))
	f.What, f.Why, f.Err = "the state file cannot be understood", why.Error(), why
	if strings.TrimSpace(string(text)) == "" {
		f.What = "the state file is empty"
	}
	if f.Fixable {
		f.Fix += ", and keeps the old file beside"
	}
	x.find(f)
	return nil
}

// readOld reads what there is of a state file that cannot be understood.
func (x *examiner) readOld(ctx context.Context) ([]byte, error) {
	if x.files[filename.State].Size > maxOld {
		return nil, nil
	}
	text, err := storage.ReadFile(ctx, x.dir, filename.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// compareState is about a state file that can be understood.
func (x *examiner) compareState(ctx context.Context, s checkpoint.State) error {
	if x.stateOutside(s) {
		return nil
	}
	if x.unread[x.latest] {
		return nil // it may be whole, and the newest
	}
	_, err := shelf.Locate(ctx, x.dir, x.latest, told)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	gone, err2 := x.goneEntries(ctx, s)
	switch {
	case err2 != nil:
		return err2
	case err != nil:
		x.stateGone(s)
	case x.bad[x.latest]:
		x.stateDamaged(s)
	case len(x.valid) > 0 && x.latest != x.valid[len(x.valid)-1] && filename.OfDirectory(x.latest):
		x.stateOld(s)
	}
	if len(gone) > 0 {
		x.stateEntries(s, gone)
	}
	return nil
}

// stateOutside is about one that names a checkpoint elsewhere, as TensorFlow
// allows. Whether that is there nobody looks.
func (x *examiner) stateOutside(s checkpoint.State) bool {
	p, absolute, ok := filename.Local(s.ModelCheckpointPath)
	if ok && (!absolute || x.sets[p] != nil || x.bad[p] || x.unread[p] || x.isValid(p)) {
		return false
	}
	f := x.aboutState(StateOutside, x.rebuilt(listed(s)))
	f.Severity, f.OnRequest = Warning, true
	f.What = fmt.Sprintf("the state file names %q, which is not in this directory", s.ModelCheckpointPath)
	f.Why = "it leads out of the directory, where nothing is looked at, or the directory was moved"
	x.find(f)
	return true
}

func (x *examiner) isValid(p string) bool {
	for _, v := range x.valid {
		if v == p {
			return true
		}
	}
	return false
}

// stateGone is about one that names what is not there. If data files of that
// are, its index was lost, and somebody may bring it back: it is pinned before
// the state file, which protects it, names another.
func (x *examiner) stateGone(s checkpoint.State) {
	f := x.aboutState(StateGone, x.rebuilt(listed(s)))
	f.What = fmt.Sprintf("the state file names %q as the latest, which is not there", s.ModelCheckpointPath)
	f.Why = "the directory was listed, and has no index of this name"
	f.Err = fmt.Errorf("%s: names %q: %w", filename.State, s.ModelCheckpointPath, fs.ErrNotExist)
	lost := x.latest
	if r, ok := x.receipts[lost]; ok && len(x.sets[lost].Data) > 0 && r.Pinned == "" && f.Fixable {
		repoint := f.mend
		f.Fix += "; before that it pins what is left of " + lost
		f.mend = func(ctx context.Context) error {
			if err := x.pinLost(ctx, lost); err != nil {
				return err
			}
			return repoint(ctx)
		}
	}
	x.find(f)
}

func (x *examiner) stateDamaged(s checkpoint.State) {
	f := x.aboutState(StateDamaged, x.repointed(s))
	f.OnRequest = f.Fixable
	f.What = "the state file names " + x.latest + " as the latest, which is damaged"
	f.Why = "see what is said about " + x.latest
	if f.OnRequest {
		f.Fix += "; only with --fix=state, since somebody may bring the files back"
	}
	x.find(f)
}

// stateOld is about one that names a whole checkpoint that is not the newest.
// Where a manager of ours has saved the newer one it is certain that the writer
// died before it could say so: a manager would adopt it, too. Elsewhere the file
// has a flipped byte, or somebody went back on purpose.
func (x *examiner) stateOld(s checkpoint.State) {
	newest := x.valid[len(x.valid)-1]
	if later := x.notYetListed(s); len(later) > 0 {
		f := x.aboutState(StateBehind, x.withLater(s, later))
		f.What = "the state file does not know of " + strings.Join(later, ", ")
		f.Why = "their receipts say that a manager saved them, and their numbers are above all that it lists: the writer ended before it wrote this file"
		x.find(f)
		return
	}
	f := x.aboutState(StateNotNewest, x.repointed(s))
	f.Severity, f.OnRequest = Warning, true
	f.What = fmt.Sprintf("the state file names %s as the latest, and %s is newer", x.latest, newest)
	f.Why = "both are whole; " + x.whyOld(s)
	f.Fix += "; only with --fix=state, since somebody may have gone back on purpose"
	x.find(f)
}

// whyOld says whether the text is as every writer leaves it.
func (x *examiner) whyOld(s checkpoint.State) string {
	if n := len(s.AllModelCheckpointPaths); n > 0 && s.AllModelCheckpointPaths[n-1] != s.ModelCheckpointPath {
		return "no program writes a file whose latest is not the last that it lists: it was changed by hand, or by the disk"
	}
	return "it may have been set back on purpose"
}

// goneEntries returns what a state file lists and of which no file is there.
func (x *examiner) goneEntries(ctx context.Context, s checkpoint.State) (map[string]bool, error) {
	gone := make(map[string]bool)
	for _, entry := range s.AllModelCheckpointPaths {
		p, absolute, ok := filename.Local(entry)
		if !ok || absolute || p == x.latest || x.isValid(p) || x.bad[p] || x.unread[p] {
			continue
		}
		if set := x.sets[p]; set != nil && len(set.Data) > 0 {
			continue // half removed: it stays listed for the manager that does the rest
		}
		_, err := shelf.Locate(ctx, x.dir, p, told)
		if errors.Is(err, fs.ErrNotExist) {
			gone[p] = true
		} else if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func (x *examiner) stateEntries(s checkpoint.State, gone map[string]bool) {
	f := x.aboutState(StateEntry, pointed(checkpoint.State(ledger.State(s).Lacking(gone)), x.latest))
	f.Files = append(f.Files, sorted(gone)...)
	f.What = "the state file lists " + strings.Join(sorted(gone), ", ") + ", of which nothing is there"
	f.Why = "the directory was listed, and has no file of these names"
	f.Fix = "takes them off the list"
	x.find(f)
}
