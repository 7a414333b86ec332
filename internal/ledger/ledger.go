// Package ledger keeps a manager's list of checkpoints and decides about it:
// which are managed by a state file, what that is to say next, and what retention
// makes of them. It has no input or output and no clock.
package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
)

// Ledger is a manager's list. Its methods replace what it holds and never
// change it, so that a copy stays as it is.
type Ledger struct {
	Name   string                 // of the manager's checkpoints
	Active []retention.Checkpoint // managed, in the order they were saved
	// Retained are those of them that the state file does not list, and why
	// they stay. The map is never changed, only replaced.
	Retained map[string]string
	// Others are what the state file lists of other names, or of another
	// manager at work: kept in the file, never removed.
	Others        []retention.Checkpoint
	Latest        string
	LastPreserved time.Time
}

// TakeOver makes the list of a manager that finds a state file
// (checkpoint_management.py, CheckpointManager.__init__). Times in the future
// become now; what is not newer than the last preserved checkpoint is not
// managed. It returns the paths that were refused because they lead out of
// the directory, and whether the clock went back.
func (l *Ledger) TakeOver(s State, now time.Time, present func(path string) bool) (refused []string, clockBack bool) {
	l.LastPreserved = s.Preserved()
	if clockBack = now.Before(l.LastPreserved); clockBack {
		l.LastPreserved = now
	}
	l.Active, l.Others = nil, nil
	managed, refused := s.Managed(now, l.LastPreserved, present)
	for _, c := range managed {
		if _, mine := filename.NumberOf(l.Name, c.Path); mine {
			l.Active = append(l.Active, c)
		} else {
			l.Others = append(l.Others, c)
		}
	}
	return refused, clockBack
}

// Earlier returns the earlier of two times.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Find returns where path is in list, -1 if it is not.
func Find(list []retention.Checkpoint, path string) int {
	for i := range list { // each is large, and not to be copied
		if list[i].Path == path {
			return i
		}
	}
	return -1
}

// without returns list if it lacks path, and else a copy that does.
func without(list []retention.Checkpoint, path string) []retention.Checkpoint {
	i := Find(list, path)
	if i < 0 {
		return list
	}
	return without(slices.Concat(list[:i], list[i+1:]), path)
}

// with returns a copy of list that ends with c.
func with(list []retention.Checkpoint, c retention.Checkpoint) []retention.Checkpoint {
	return append(append(make([]retention.Checkpoint, 0, len(list)+1), list...), c)
}

// Saved returns the ledger after the checkpoint c was saved. A number that is
// used again moves to the end of the list.
func (l Ledger) Saved(c retention.Checkpoint) Ledger {
	l.Active = with(without(l.Active, c.Path), c)
	l.Others = without(l.Others, c.Path)
	l.Retained = unreasoned(l.Retained, c.Path)
	l.Latest = c.Path
	return l
}

// WatchClock sees whether the list is newer than the last preserved checkpoint.
// Where it is not, the clock stood still, is wrong now, or was wrong then: what
// is listed would not be managed by the next manager, and nothing preserved
// before the clock has caught up. So the next that leaves the list is.
func (l *Ledger) WatchClock(every time.Duration) {
	if len(l.Active) == 0 {
		return
	}
	oldest := l.Active[0].Time
	for i := range l.Active {
		oldest = Earlier(oldest, l.Active[i].Time)
	}
	if !oldest.After(l.LastPreserved) {
		l.LastPreserved = oldest.Add(-max(every, time.Second))
	}
}

// unreasoned returns m if it lacks path, and else a copy that does.
func unreasoned(m map[string]string, path string) map[string]string {
	if _, is := m[path]; !is {
		return m
	}
	m = maps.Clone(m)
	delete(m, path)
	return m
}

// Forget takes a checkpoint off the list.
func (l *Ledger) Forget(path string) {
	l.Active = without(l.Active, path)
	l.Retained = unreasoned(l.Retained, path)
}

// Unlist notes that the state file does not list a checkpoint that stays, and
// why it stays.
func (l *Ledger) Unlist(path, reason string) {
	if l.Retained = maps.Clone(l.Retained); l.Retained == nil {
		l.Retained = make(map[string]string)
	}
	l.Retained[path] = reason
}

// Relist notes that the state file lists a checkpoint again.
func (l *Ledger) Relist(path string) { l.Retained = unreasoned(l.Retained, path) }

// State returns what the state file is to say. The latest comes last, as
// TensorFlow wants it. What stays for another reason than that it is one of
// the latest is left out: a TensorFlow manager that is at work in the
// directory later would remove it.
func (l Ledger) State() State {
	s := State{ModelCheckpointPath: l.Latest, LastPreservedTimestamp: l.LastPreserved}
	all := l.Active // as long as it is nobody else's: a save of many is to copy no list
	if len(l.Others) > 0 {
		all = merge(l.Others, l.Active)
	}
	if i := Find(all, l.Latest); i >= 0 && i < len(all)-1 {
		all = append(slices.Delete(slices.Clone(all), i, i+1), all[i])
	}
	s.AllModelCheckpointPaths = make([]string, 0, len(all))
	s.AllModelCheckpointTimestamps = make([]time.Time, 0, len(all))
	for _, c := range l.Others {
		// What is listed no newer than this is not managed any more.
		s.LastPreservedTimestamp = Earlier(s.LastPreservedTimestamp, c.Time.Add(-time.Second))
	}
	for i := range all {
		c := &all[i]
		if _, unlisted := l.Retained[c.Path]; unlisted {
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

// Gone is the save counter of what is listed and not there any more: a sweep
// was cut short. Its place in the list tells nothing.
const Gone = -1

// Join joins what is listed with what was found besides, in the order of
// saving: by the save counters, which no clock disturbs, where they tell and
// agree with the order of the list.
func Join(found, active []retention.Checkpoint, counts map[string]int64) []retention.Checkpoint {
	slices.SortFunc(found, func(a, b retention.Checkpoint) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Path, b.Path))
	})
	all := merge(found, active)
	place, last := make(map[string]int64), int64(0)
	for _, c := range active {
		if n := counts[c.Path]; n > last {
			last = n
		} else if n != Gone { // it began anew, or does not tell
			return all
		}
		place[c.Path] = last
	}
	seen := make(map[int64]bool)
	for _, c := range all {
		n := counts[c.Path]
		if n == Gone {
			continue
		}
		if n <= 0 || seen[n] {
			return all
		}
		seen[n], place[c.Path] = true, n
	}
	slices.SortStableFunc(all, func(a, b retention.Checkpoint) int { return cmp.Compare(place[a.Path], place[b.Path]) })
	return all
}
