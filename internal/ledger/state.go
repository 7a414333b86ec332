package ledger

import (
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
)

// State is what a state file says. Paths are as the file has them.
type State struct {
	ModelCheckpointPath     string
	AllModelCheckpointPaths []string // oldest first
	// AllModelCheckpointTimestamps are as many as the paths, or none: then
	// no manager manages the paths.
	AllModelCheckpointTimestamps []time.Time
	// LastPreservedTimestamp is the time of the newest checkpoint that was
	// preserved. What is listed but no newer is not managed.
	LastPreservedTimestamp time.Time
}

// Managed returns the managed checkpoints of a state file, each once. A
// state file without times manages none. An absolute entry means the file of
// its last element in this directory, if that is present.
func (s State) Managed(now, lastPreserved time.Time, present func(path string) bool) (list []retention.Checkpoint, refused []string) {
	place := make(map[string]int)
	for i, entry := range s.AllModelCheckpointPaths {
		p, absolute, ok := filename.Local(entry)
		if !ok || absolute && !present(p) {
			refused = append(refused, entry)
			continue
		}
		if i >= len(s.AllModelCheckpointTimestamps) {
			continue
		}
		t := Earlier(s.AllModelCheckpointTimestamps[i], now)
		if !t.After(lastPreserved) {
			continue
		}
		if at, twice := place[p]; twice {
			list[at].Time = t
			continue
		}
		place[p] = len(list)
		list = append(list, retention.Checkpoint{Path: p, Time: t})
	}
	return list, refused
}

// Highest returns the highest number that the state file has for the
// given name, or -1.
func (s State) Highest(name string) int64 {
	top := int64(-1)
	for _, entry := range append(slices.Clip(s.AllModelCheckpointPaths), s.ModelCheckpointPath) {
		if p, _, ok := filename.Local(entry); ok {
			if n, mine := filename.NumberOf(name, p); mine {
				top = max(top, n)
			}
		}
	}
	return top
}

// WithUnmanaged returns s with p as the latest path. Without managed paths
// that is p alone and without a time, as in TensorFlow. TensorFlow would wipe a
// manager's list; here it stays, and p is listed with the one time that tells
// every manager to leave it alone: that of the last preserved checkpoint.
func (s State) WithUnmanaged(p string) State {
	managed := State{ModelCheckpointPath: p, LastPreservedTimestamp: s.LastPreservedTimestamp}
	for i, t := range s.AllModelCheckpointTimestamps {
		if t.After(s.Preserved()) && s.AllModelCheckpointPaths[i] != p {
			managed.AllModelCheckpointPaths = append(managed.AllModelCheckpointPaths, s.AllModelCheckpointPaths[i])
			managed.AllModelCheckpointTimestamps = append(managed.AllModelCheckpointTimestamps, t)
		}
	}
	if len(managed.AllModelCheckpointPaths) == 0 {
		return State{ModelCheckpointPath: p}
	}
	managed.AllModelCheckpointPaths = append(managed.AllModelCheckpointPaths, p)
	managed.AllModelCheckpointTimestamps = append(managed.AllModelCheckpointTimestamps, s.Preserved())
	return managed
}

// Preserved returns the time after which listed checkpoints are managed; the
// field's absence means zero, the Unix epoch.
func (s State) Preserved() time.Time {
	if s.LastPreservedTimestamp.IsZero() {
		return time.Unix(0, 0)
	}
	return s.LastPreservedTimestamp
}

// Lacking returns s without the checkpoints that are gone. If the latest is
// one of them, the last that stays is the latest; "" if none does.
func (s State) Lacking(gone map[string]bool) State {
	is := func(entry string) bool {
		p, _, ok := filename.Local(entry)
		return ok && gone[p]
	}
	left := State{ModelCheckpointPath: s.ModelCheckpointPath, LastPreservedTimestamp: s.LastPreservedTimestamp}
	timed := len(s.AllModelCheckpointTimestamps) == len(s.AllModelCheckpointPaths)
	for i, p := range s.AllModelCheckpointPaths {
		if is(p) {
			continue
		}
		left.AllModelCheckpointPaths = append(left.AllModelCheckpointPaths, p)
		if timed {
			left.AllModelCheckpointTimestamps = append(left.AllModelCheckpointTimestamps, s.AllModelCheckpointTimestamps[i])
		}
	}
	if is(s.ModelCheckpointPath) {
		left.ModelCheckpointPath = ""
		if n := len(left.AllModelCheckpointPaths); n > 0 {
			left.ModelCheckpointPath = left.AllModelCheckpointPaths[n-1]
		}
	}
	return left
}
