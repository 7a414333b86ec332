package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/retention"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// list returns checkpoints of the given paths, of the seconds 1, 2, 3 …
func list(paths ...string) []retention.Checkpoint {
	var all []retention.Checkpoint
	for i, p := range paths {
		all = append(all, retention.Checkpoint{Path: p, Time: at(int64(i + 1))})
	}
	return all
}

func paths(all []retention.Checkpoint) string {
	var names []string
	for _, c := range all {
		names = append(names, fmt.Sprintf("%s@%d", c.Path, c.Time.Unix()))
	}
	return strings.Join(names, " ")
}

func text(s State) string {
	var names []string
	for i, p := range s.AllModelCheckpointPaths {
		if i < len(s.AllModelCheckpointTimestamps) {
			p = fmt.Sprintf("%s@%d", p, s.AllModelCheckpointTimestamps[i].Unix())
		}
		names = append(names, p)
	}
	return s.ModelCheckpointPath + ": " + strings.Join(names, " ")
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

func state(latest string, all ...retention.Checkpoint) State {
	s := State{ModelCheckpointPath: latest}
	for _, c := range all {
		s.AllModelCheckpointPaths = append(s.AllModelCheckpointPaths, c.Path)
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, c.Time)
	}
	return s
}

func TestListIsTakenOverFromAStateFile(t *testing.T) {
	s := state("ckpt-4", list("ckpt-1", "./ckpt-2", "model-9", "ckpt-3", "../ckpt-8", "/there/ckpt-5", "/gone/ckpt-6", "ckpt-2")...)
	s.LastPreservedTimestamp = at(1)
	l := Ledger{Name: "ckpt", Active: list("stale-1")}
	refused, back := l.TakeOver(s, at(7), func(p string) bool { return p == "ckpt-5" })
	equal(t, "Active", paths(l.Active), "ckpt-2@7 ckpt-3@4 ckpt-5@6")
	equal(t, "Others", paths(l.Others), "model-9@3")
	equal(t, "refused", strings.Join(refused, " "), "../ckpt-8 /gone/ckpt-6")
	if back || !l.LastPreserved.Equal(at(1)) {
		t.Errorf("clockBack, LastPreserved = %v, %v, want false, %v", back, l.LastPreserved, at(1))
	}
}

func TestClockThatWentBackIsTold(t *testing.T) {
	s := state("ckpt-1", list("ckpt-1")...)
	s.LastPreservedTimestamp = at(100)
	l := Ledger{Name: "ckpt"}
	if _, back := l.TakeOver(s, at(50), nil); !back || !l.LastPreserved.Equal(at(50)) || len(l.Active) != 0 {
		t.Errorf("clockBack, LastPreserved, Active = %v, %v, %v, want true, %v, none", back, l.LastPreserved, l.Active, at(50))
	}
}

func TestStateWithoutTimesManagesNothing(t *testing.T) {
	s := State{ModelCheckpointPath: "ckpt-1", AllModelCheckpointPaths: []string{"ckpt-1"}}
	if got, _ := s.Managed(at(9), s.Preserved(), nil); len(got) != 0 {
		t.Errorf("Managed = %v, want none", got)
	}
	if !s.Preserved().Equal(at(0)) {
		t.Errorf("Preserved = %v, want the Unix epoch", s.Preserved())
	}
}

func TestSavedMovesANumberUsedAgainToTheEnd(t *testing.T) {
	l := Ledger{Name: "ckpt", Active: list("ckpt-1", "ckpt-2", "ckpt-3"), Others: list("other-1")}
	l.Unlist("ckpt-2", "best")
	before := paths(l.Active)
	next := l.Saved(retention.Checkpoint{Path: "ckpt-2", Time: at(9)})
	equal(t, "Active", paths(next.Active), "ckpt-1@1 ckpt-3@3 ckpt-2@9")
	equal(t, "State", text(next.State()), "ckpt-2: other-1@1 ckpt-1@1 ckpt-3@3 ckpt-2@9")
	equal(t, "the list before", paths(l.Active), before)
	if len(l.Retained) != 1 || len(next.Retained) != 0 {
		t.Errorf("Retained = %v and %v, want one, then none", l.Retained, next.Retained)
	}
}

func TestStateEndsWithTheLatestAndLeavesOutWhatIsRetained(t *testing.T) {
	l := Ledger{Active: list("ckpt-1", "ckpt-2", "ckpt-3"), Latest: "ckpt-2", LastPreserved: at(3)}
	l.Unlist("ckpt-1", "")
	equal(t, "State", text(l.State()), "ckpt-2: ckpt-3@3 ckpt-2@2")
	l.Relist("ckpt-1")
	l.Others = []retention.Checkpoint{{Path: "other-1", Time: at(2)}}
	equal(t, "State", text(l.State()), "ckpt-2: ckpt-1@1 other-1@2 ckpt-3@3 ckpt-2@2")
	if got := l.State().LastPreservedTimestamp; !got.Equal(at(1)) {
		t.Errorf("LastPreservedTimestamp = %v, want %v, older than the others", got, at(1))
	}
	l.Forget("ckpt-3")
	equal(t, "State", text(l.State()), "ckpt-2: ckpt-1@1 other-1@2 ckpt-2@2")
}

func TestWatchClockKeepsTheListManaged(t *testing.T) {
	for preserved, want := range map[int64]int64{0: 0, 1: -9, 5: -9} {
		l := Ledger{Active: list("ckpt-1", "ckpt-2"), LastPreserved: at(preserved)}
		l.WatchClock(10 * time.Second)
		if !l.LastPreserved.Equal(at(want)) {
			t.Errorf("LastPreserved of %d = %v, want %v", preserved, l.LastPreserved, at(want))
		}
	}
	var empty Ledger
	if empty.WatchClock(time.Hour); !empty.LastPreserved.IsZero() {
		t.Errorf("LastPreserved = %v, want none", empty.LastPreserved)
	}
}

func TestJudgeTellsOnlyWhatIsNew(t *testing.T) {
	l := Ledger{Active: list("ckpt-1", "ckpt-2", "ckpt-3")}
	for i := range l.Active {
		l.Active[i].Verified = true
	}
	l.Active[0].Pinned = "mine"
	s := l.Judge(retention.Latest(1))
	if len(s.Remove) != 1 || s.Remove[0].Path != "ckpt-2" || s.Remove[0].Reason == "" {
		t.Errorf("Remove = %+v, want ckpt-2 and why", s.Remove)
	}
	if len(s.Retain) != 1 || s.Retain[0].Path != "ckpt-1" || s.Empty() {
		t.Fatalf("Retain = %+v, want ckpt-1", s.Retain)
	}
	l.Forget("ckpt-2")
	l.Unlist("ckpt-1", s.Retain[0].Reason)
	if s := l.Judge(retention.Latest(1)); !s.Empty() {
		t.Errorf("Judge = %+v, want nothing new", s)
	}
	if s := l.Judge(retention.Latest(2)); len(s.Retain) != 1 || s.Retain[0].Reason != "" {
		t.Errorf("Retain = %+v, want ckpt-1, listed again", s.Retain)
	}
}

func TestJoinGoesByCountersWhereTheyTell(t *testing.T) {
	active := []retention.Checkpoint{{Path: "b", Time: at(2)}, {Path: "d", Time: at(4)}}
	for name, test := range map[string]struct {
		counts map[string]int64
		want   string
	}{
		"all told":      {map[string]int64{"a": 4, "b": 1, "c": 2, "d": 3}, "b@2 c@3 d@4 a@1"},
		"one twice":     {map[string]int64{"a": 4, "b": 1, "c": 1, "d": 3}, "a@1 b@2 c@3 d@4"},
		"one not":       {map[string]int64{"a": 4, "b": 1, "d": 3}, "a@1 b@2 c@3 d@4"},
		"one is gone":   {map[string]int64{"a": 4, "b": Gone, "c": 2, "d": 3}, "b@2 c@3 d@4 a@1"},
		"last is gone":  {map[string]int64{"a": 4, "b": 1, "c": 2, "d": Gone}, "b@2 d@4 c@3 a@1"},
		"it began anew": {map[string]int64{"a": 4, "b": 3, "c": 2, "d": 1}, "a@1 b@2 c@3 d@4"},
	} {
		found := []retention.Checkpoint{{Path: "c", Time: at(3)}, {Path: "a", Time: at(1)}}
		equal(t, name, paths(Join(found, active, test.counts)), test.want)
	}
}

func TestHighestIsOfTheNameAlone(t *testing.T) {
	s := State{ModelCheckpointPath: "/else/ckpt-7", AllModelCheckpointPaths: []string{"ckpt-3", "model-9", "../ckpt-12"}}
	if a, b, c := s.Highest("ckpt"), s.Highest("model"), s.Highest("x"); a != 7 || b != 9 || c != -1 {
		t.Errorf("Highest = %d, %d, %d, want 7, 9, -1", a, b, c)
	}
}

func TestUnmanagedLeavesTheManagersList(t *testing.T) {
	s := state("ckpt-2", list("ckpt-1", "ckpt-2", "m")...)
	s.LastPreservedTimestamp = at(1)
	equal(t, "WithUnmanaged", text(s.WithUnmanaged("m")), "m: ckpt-2@2 m@1")
	equal(t, "WithUnmanaged of none", text(State{ModelCheckpointPath: "a"}.WithUnmanaged("m")), "m: ")
}

func TestLackingFindsAnotherLatest(t *testing.T) {
	s := state("./ckpt-3", list("ckpt-1", "/run/ckpt-2", "ckpt-3")...)
	equal(t, "Lacking 2", text(s.Lacking(map[string]bool{"ckpt-2": true})), "./ckpt-3: ckpt-1@1 ckpt-3@3")
	equal(t, "Lacking 3", text(s.Lacking(map[string]bool{"ckpt-3": true})), "/run/ckpt-2: ckpt-1@1 /run/ckpt-2@2")
	all := map[string]bool{"ckpt-1": true, "ckpt-2": true, "ckpt-3": true}
	equal(t, "Lacking all", text(s.Lacking(all)), ": ")
	if !slices.Equal(s.AllModelCheckpointPaths, []string{"ckpt-1", "/run/ckpt-2", "ckpt-3"}) {
		t.Errorf("the state itself became %q", s.AllModelCheckpointPaths)
	}
}
