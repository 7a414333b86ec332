package checkpoint

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
)

// ledger is a manager's list and what decides about it: no input or output,
// no clock.
type ledger struct {
	name   string                 // of the manager's checkpoints
	active []retention.Checkpoint // managed, in the order they were saved
	// retained are those of them that the state file does not list, and why
	// they stay. The map is never changed, only replaced.
	retained map[string]string
	// others are what the state file lists of other names, or of another
	// manager at work: kept in the file, never removed.
	others        []retention.Checkpoint
	latest        string
	lastPreserved time.Time
}

// takeOver makes the list of a manager that finds a state file
// (checkpoint_management.py, CheckpointManager.__init__). Times in the future
// become now; what is not newer than the last preserved checkpoint is not
// managed. It returns the paths that were refused because they lead out of
// the directory, and whether the clock went back.
func (l *ledger) takeOver(s listed, now time.Time, present func(path string) bool) (refused []string, clockBack bool) {
	l.lastPreserved = s.preserved()
	if clockBack = now.Before(l.lastPreserved); clockBack {
		l.lastPreserved = now
	}
	l.active, l.others = nil, nil
	managed, refused := s.managed(now, l.lastPreserved, present)
	for _, c := range managed {
		if _, mine := filename.NumberOf(l.name, c.Path); mine {
			l.active = append(l.active, c)
		} else {
			l.others = append(l.others, c)
		}
	}
	return refused, clockBack
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func find(list []retention.Checkpoint, path string) int {
	return slices.IndexFunc(list, func(c retention.Checkpoint) bool { return c.Path == path })
}

// without returns a copy of list that lacks path.
func without(list []retention.Checkpoint, path string) []retention.Checkpoint {
	return slices.DeleteFunc(slices.Clone(list), func(c retention.Checkpoint) bool { return c.Path == path })
}

// saved returns the ledger after the checkpoint c was saved. A number that is
// used again moves to the end of the list.
func (l ledger) saved(c retention.Checkpoint) ledger {
	l.active = append(without(l.active, c.Path), c)
	l.others = without(l.others, c.Path)
	l.retained = unreasoned(l.retained, c.Path)
	l.latest = c.Path
	return l
}

// watchClock sees whether the list is newer than the last preserved checkpoint.
// Where it is not, the clock stood still, is wrong now, or was wrong then: what
// is listed would not be managed by the next manager, and nothing preserved
// before the clock has caught up. So the next that leaves the list is.
func (l *ledger) watchClock(every time.Duration) {
	if len(l.active) == 0 {
		return
	}
	oldest := l.active[0].Time
	for _, c := range l.active {
		oldest = earlier(oldest, c.Time)
	}
	if !oldest.After(l.lastPreserved) {
		l.lastPreserved = oldest.Add(-max(every, time.Second))
	}
}

// unreasoned returns a copy of a map that lacks path.
func unreasoned(m map[string]string, path string) map[string]string {
	m = maps.Clone(m)
	delete(m, path)
	return m
}

// forget takes a checkpoint off the list.
func (l *ledger) forget(path string) {
	l.active = without(l.active, path)
	l.retained = unreasoned(l.retained, path)
}

// unlist notes that the state file does not list a checkpoint that stays, and
// why it stays.
func (l *ledger) unlist(path, reason string) {
	l.retained = unreasoned(l.retained, path)
	if l.retained == nil {
		l.retained = make(map[string]string)
	}
	l.retained[path] = reason
}

// relist notes that the state file lists a checkpoint again.
func (l *ledger) relist(path string) { l.retained = unreasoned(l.retained, path) }

// state returns what the state file is to say. The latest comes last, as
// TensorFlow wants it. What stays for another reason than that it is one of
// the latest is left out: a TensorFlow manager that is at work in the
// directory later would remove it.
func (l ledger) state() listed {
	s := listed{ModelCheckpointPath: l.latest, LastPreservedTimestamp: l.lastPreserved}
	all := merge(l.others, l.active)
	if i := find(all, l.latest); i >= 0 {
		all = append(slices.Delete(slices.Clone(all), i, i+1), all[i])
	}
	for _, c := range l.others {
		// What is listed no newer than this is not managed any more.
		s.LastPreservedTimestamp = earlier(s.LastPreservedTimestamp, c.Time.Add(-time.Second))
	}
	for _, c := range all {
		if _, unlisted := l.retained[c.Path]; unlisted {
			continue
		}
		s.AllModelCheckpointPaths = append(s.AllModelCheckpointPaths, c.Path)
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, c.Time)
	}
	return s
}

// merge joins two lists by time, without changing the order inside either.
func merge(a, b []retention.Checkpoint) []retention.Checkpoint {
	all := make([]retention.Checkpoint, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].Time.Before(a[0].Time) {
			a, b = b, a
		}
		all = append(all, a[0])
		a = a[1:]
	}
	return append(append(all, a...), b...)
}

// join joins what is listed with what was found besides, in the order of
// saving: by the save counters, which no clock disturbs, where they tell and
// agree with the order of the list.
func join(found, active []retention.Checkpoint, counts map[string]int64) []retention.Checkpoint {
	slices.SortFunc(found, func(a, b retention.Checkpoint) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Path, b.Path))
	})
	all := merge(found, active)
	last := int64(0)
	for _, c := range active {
		if counts[c.Path] <= last { // it began anew
			return all
		}
		last = counts[c.Path]
	}
	seen := make(map[int64]bool)
	for _, c := range all {
		n := counts[c.Path]
		if n <= 0 || seen[n] {
			return all
		}
		seen[n] = true
	}
	slices.SortFunc(all, func(a, b retention.Checkpoint) int { return cmp.Compare(counts[a.Path], counts[b.Path]) })
	return all
}
