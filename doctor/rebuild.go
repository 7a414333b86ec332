package doctor

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

// old is what is known of an older state file.
type old struct {
	times     map[string]time.Time // of what it lists
	preserved time.Time
}

func listed(s checkpoint.State) old {
	o := old{times: make(map[string]time.Time), preserved: s.LastPreservedTimestamp}
	if len(s.AllModelCheckpointTimestamps) != len(s.AllModelCheckpointPaths) {
		return o
	}
	for i, entry := range s.AllModelCheckpointPaths {
		if p, _, ok := filename.Local(entry); ok {
			o.times[p] = s.AllModelCheckpointTimestamps[i]
		}
	}
	return o
}

// salvage reads what can be read of a broken state file, line by line. Which
// time is whose the order tells, and that only where no line is in doubt: all
// paths come before all times, and there are as many of both.
func salvage(text []byte) old {
	var paths, times []tfproto.CheckpointState
	var o old
	for line := range strings.Lines(string(text)) {
		s, err := tfproto.ParseCheckpointState([]byte(line))
		broken := err != nil || !strings.HasSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "all_model_checkpoint_p"):
			paths = append(paths, unless(broken, s))
		case strings.HasPrefix(line, "all_model_checkpoint_t"):
			times = append(times, unless(broken, s))
		case strings.HasPrefix(line, "last_preserved") && !broken && s.LastPreservedTimestamp > 0:
			o.preserved = instant(s.LastPreservedTimestamp)
		}
	}
	o.times = make(map[string]time.Time)
	for i := range paths {
		if len(paths) != len(times) || len(paths[i].AllModelCheckpointPaths) != 1 || len(times[i].AllModelCheckpointTimestamps) != 1 {
			continue
		}
		if p, _, ok := filename.Local(paths[i].AllModelCheckpointPaths[0]); ok {
			o.times[p] = instant(times[i].AllModelCheckpointTimestamps[0])
		}
	}
	return o
}

func unless(broken bool, s tfproto.CheckpointState) tfproto.CheckpointState {
	if broken {
		return tfproto.CheckpointState{}
	}
	return s
}

// instant turns the seconds of a state file into a time.
func instant(seconds float64) time.Time {
	const most = 1 << 40 // some 30,000 years
	if !(seconds > 0) || seconds > most {
		return time.Time{}
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9+0.5))
}

// rebuilt returns what a state file should say, "" as the latest if there is no
// whole checkpoint. It lists what a manager of ours has saved, by the receipts,
// and what an older file has listed; of anything else nobody can know whether a
// manager may remove it, so that is not listed. What is pinned, or kept for
// another reason than that it is one of the latest, is left out as a manager
// leaves it out: TensorFlow's would remove it.
func (x *examiner) rebuilt(o old) checkpoint.State {
	s := checkpoint.State{LastPreservedTimestamp: o.preserved}
	if len(x.valid) == 0 {
		return s
	}
	newest := x.valid[len(x.valid)-1]
	for _, p := range x.wholeOrListed(o) {
		t, ok := x.managed(p, o, p == newest)
		if ok && p != newest {
			s.AllModelCheckpointPaths = append(s.AllModelCheckpointPaths, p)
			s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, t)
		}
	}
	if t, ok := x.managed(newest, o, true); ok {
		return reach(withLatest(s, newest, t))
	}
	if len(s.AllModelCheckpointPaths) == 0 {
		return checkpoint.State{ModelCheckpointPath: newest}
	}
	s = reach(s)
	return checkpoint.State(ledger.State(s).WithUnmanaged(newest))
}

// wholeOrListed returns the whole checkpoints from the oldest to the newest, and
// before them those damaged ones that were listed: a manager may remove them as
// before.
func (x *examiner) wholeOrListed(o old) []string {
	var list []string
	for _, p := range sorted(x.bad) {
		if _, was := o.times[p]; was {
			list = append(list, p)
		}
	}
	return append(list, x.valid...)
}

// managed returns the time with which a checkpoint is listed, if it is.
func (x *examiner) managed(p string, o old, newest bool) (time.Time, bool) {
	r, receipt := x.receipts[p]
	if receipt && (r.Kept != "" || !newest && (r.Retained != "" || r.Pinned != "")) {
		return time.Time{}, false
	}
	if t, was := o.times[p]; was && !t.IsZero() {
		return t, true
	}
	return r.Time, receipt && r.Writer == checkpoint.WriterManager && !r.Time.IsZero()
}

func withLatest(s checkpoint.State, p string, t time.Time) checkpoint.State {
	s.ModelCheckpointPath = p
	s.AllModelCheckpointPaths = append(slices.Clip(s.AllModelCheckpointPaths), p)
	s.AllModelCheckpointTimestamps = append(slices.Clip(s.AllModelCheckpointTimestamps), t)
	return s
}

// reach makes sure that all that is listed is newer than the last preserved
// checkpoint: a manager would take it for not managed else.
func reach(s checkpoint.State) checkpoint.State {
	for _, t := range s.AllModelCheckpointTimestamps {
		if s.LastPreservedTimestamp.IsZero() || !t.After(s.LastPreservedTimestamp) {
			s.LastPreservedTimestamp = t.Add(-time.Second)
		}
	}
	return s
}

// repointed returns a state file with the newest checkpoint as its latest, and
// all else as it is.
func (x *examiner) repointed(s checkpoint.State) checkpoint.State {
	if len(x.valid) == 0 {
		return checkpoint.State{}
	}
	return pointed(s, x.valid[len(x.valid)-1])
}

// pointed returns a state file with p as its latest, which is the last that it
// lists, as every writer leaves it.
func pointed(s checkpoint.State, p string) checkpoint.State {
	t, ok := listed(s).times[p]
	if !ok {
		return checkpoint.State(ledger.State(s).WithUnmanaged(p))
	}
	return withLatest(checkpoint.State(ledger.State(s).Lacking(map[string]bool{p: true})), p, t)
}

// notYetListed returns the whole checkpoints that a manager of ours has saved
// after the state file was written: those it would adopt.
func (x *examiner) notYetListed(s checkpoint.State) []string {
	var later []string
	for _, p := range x.valid {
		r := x.receipts[p]
		name, n, ok := filename.SplitNumber(p)
		if !ok || r.Writer != checkpoint.WriterManager || r.Kept != "" || n <= ledger.State(s).Highest(name) {
			continue
		}
		if was, known := x.receipts[x.latest]; !known || r.SaveCounter > was.SaveCounter {
			later = append(later, p)
		}
	}
	if len(later) > 0 && later[len(later)-1] != x.valid[len(x.valid)-1] {
		return nil // and yet something else is the newest: that is not for sure
	}
	return later
}

func (x *examiner) withLater(s checkpoint.State, later []string) checkpoint.State {
	if len(s.AllModelCheckpointTimestamps) == 0 {
		s.AllModelCheckpointPaths = nil // which nobody manages
	}
	for _, p := range later {
		s = withLatest(s, p, x.receipts[p].Time)
	}
	return reach(s)
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
