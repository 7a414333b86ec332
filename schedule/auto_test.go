package schedule_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/schedule"
)

// training is a simulated one: the clock goes on by its steps and by what its
// saves cost.
type training struct {
	every schedule.Schedule
	async bool

	now   time.Time
	saved schedule.History
	cost  schedule.Cost // measured so far
	done  time.Time     // when the save under way is written
	will  time.Duration // what that will have taken
	begun []time.Time   // of each save
	stall time.Duration // of all saves but the last
	last  time.Duration
}

func begin(every schedule.Schedule, async bool) *training {
	start := time.Unix(1_000_000, 0)
	return &training{every: every, async: async, now: start, saved: schedule.Since(schedule.Moment{Time: start})}
}

// step trains for so long, and saves if that is due.
func (t *training) step(long, stall, write time.Duration) bool {
	t.now = t.now.Add(long)
	if t.cost.Write = t.will; t.done.After(t.now) { // under way: it takes longer than it has
		t.cost.Write = t.now.Sub(t.saved.Last().Time) + 1
	}
	now := schedule.Moment{Time: t.now}
	if _, due := t.every.Due(t.saved.Costing(t.cost), now); !due {
		return false
	}
	t.saved = t.saved.And(now)
	t.begun, t.stall, t.last = append(t.begun, t.now), t.stall+t.last, stall
	if !t.async {
		write = stall
	}
	t.done, t.will = t.now.Add(write), write
	t.now = t.now.Add(stall)
	t.cost.Stall = stall
	return true
}

// restart is a new process that finds the last save's receipt.
func (t *training) restart(down time.Duration) {
	t.now = t.now.Add(down)
	t.cost = schedule.Cost{Write: t.will}
	if !t.async {
		t.cost.Stall = t.will
	}
	at := t.saved.Last()
	t.saved = schedule.Since(schedule.Moment{Time: t.now}).And(at)
}

// between draws a time whose order of magnitude varies, too.
func between(t *rapid.T, least time.Duration, tenfold int, what string) time.Duration {
	d := least
	for range rapid.IntRange(0, tenfold).Draw(t, what+", tens") {
		d *= 10
	}
	return d + d*time.Duration(rapid.IntRange(0, 900).Draw(t, what))/100
}

// TestTheShareOfTimeThatSavesCostIsBounded whatever they cost and however
// long steps are: at each save, all before it are paid for.
func TestTheShareOfTimeThatSavesCostIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		overhead := rapid.SampledFrom([]float64{0, .001, .02, .3}).Draw(t, "overhead")
		run := begin(schedule.Auto(overhead), rapid.Bool().Draw(t, "async"))
		if overhead == 0 {
			overhead = schedule.DefaultOverhead
		}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			saved := run.step(between(t, time.Millisecond, 4, "step"), between(t, time.Millisecond, 3, "stall"), between(t, time.Millisecond, 5, "write"))
			if elapsed := run.now.Sub(run.begun[0]); saved && len(run.begun) > 1 {
				elapsed -= run.last
				if float64(run.stall) > overhead*float64(elapsed)*(1+1e-12) {
					t.Fatalf("%d saves cost %v of %v, want at most %v of it", len(run.begun)-1, run.stall, elapsed, overhead)
				}
			}
			if !run.async && rapid.IntRange(0, 50).Draw(t, "dies") == 0 {
				run.restart(between(t, time.Second, 3, "down"))
			}
		}
	})
}

// TestSavesAreNeitherMissingNorTooMany: the first comes at once, and each other
// as soon as the one before is paid for.
func TestSavesAreNeitherMissingNorTooMany(t *testing.T) {
	for _, c := range []struct {
		name         string
		every        schedule.Schedule
		async        bool
		stall, write time.Duration
		want         time.Duration // between saves
	}{
		{"2 % is the default", schedule.Auto(0), false, 2 * time.Second, 0, 100 * time.Second},
		{"a tenth", schedule.Auto(.1), false, 2 * time.Second, 0, 20 * time.Second},
		{"only the stall counts", schedule.Auto(0), true, time.Second, 20 * time.Second, 50 * time.Second},
		{"but no two at once", schedule.Auto(0), true, time.Second, 80 * time.Second, 80 * time.Second},
		{"a small model", schedule.Auto(0), false, time.Millisecond, 0, 10 * time.Second},
		{"nothing to be measured", schedule.Auto(0), false, 0, 0, 10 * time.Second},
		{"failures each hour", schedule.YoungDaly(time.Hour, 0), false, 2 * time.Second, 0, 120 * time.Second},
		{"failures each hour, at most 1 %", schedule.YoungDaly(time.Hour, .01), false, 2 * time.Second, 0, 200 * time.Second},
		{"failures each hour, at most 10 %", schedule.YoungDaly(time.Hour, .1), false, 2 * time.Second, 0, 120 * time.Second},
	} {
		run := begin(c.every, c.async)
		for range 1000 {
			run.step(time.Second-c.stall%time.Second, c.stall, c.write)
		}
		if got := run.begun[0].Sub(time.Unix(1_000_000, 0)); got > time.Second {
			t.Errorf("%s: the first save is after %v, want at once", c.name, got)
		}
		for i, at := range run.begun[1:] {
			if got := at.Sub(run.begun[i]); got < c.want || got > c.want+3*time.Second {
				t.Errorf("%s: save %d is %v after the one before, want %v", c.name, i+1, got, c.want)
				break
			}
		}
		if len(run.begun) < 3 {
			t.Errorf("%s: %d saves", c.name, len(run.begun))
		}
	}
}

// TestARestartNeitherSavesAtOnceNorForgetsWhatASaveCosts, and a process that
// dies again and again before a save would be due is saved nevertheless.
func TestARestartNeitherSavesAtOnceNorForgetsWhatASaveCosts(t *testing.T) {
	run := begin(schedule.Auto(0), false)
	run.step(time.Second, 4*time.Second, 0)
	for i := range 20 { // each process lives for 60 of the 200 seconds
		run.restart(3 * time.Second)
		for range 60 {
			run.step(time.Second, 4*time.Second, 0)
		}
		if i == 0 && len(run.begun) != 1 {
			t.Errorf("right after a restart there are %d saves, want 1", len(run.begun))
		}
	}
	if n := len(run.begun); n < 6 || n > 7 {
		t.Errorf("%d saves in 1260 seconds, want one each 200", n)
	}
}

func TestAClockThatWentBackIsNoReasonToSaveNeverAgain(t *testing.T) {
	h := schedule.History{}.And(schedule.Moment{Time: time.Unix(5000, 0)})
	if reason, due := schedule.Auto(0).Due(h, schedule.Moment{Time: time.Unix(10, 0)}); !due {
		t.Errorf("Due = %q, false, want true", reason)
	}
}

func TestCostsThatAreOutOfAllProportionEndInALongTime(t *testing.T) {
	h := schedule.History{}.And(schedule.Moment{Time: time.Unix(0, 0)}).Costing(schedule.Cost{Stall: 1 << 62})
	for _, s := range []schedule.Schedule{schedule.Auto(1e-300), schedule.YoungDaly(1<<62, 0)} {
		if reason, due := s.Due(h, schedule.Moment{Time: time.Unix(1e9, 0)}); due {
			t.Errorf("Due = %q, true, want false", reason)
		}
	}
}

func TestAShareThatMakesNoSenseIsRefused(t *testing.T) {
	nan := 0.0
	nan /= nan
	for want, s := range map[string]schedule.Schedule{
		"overhead is -0.1": schedule.Auto(-.1),
		"overhead is 2":    schedule.Any(schedule.Auto(2)),
		"overhead is NaN":  schedule.Auto(nan),
		"failures each 0s": schedule.YoungDaly(0, 0),
	} {
		if err := schedule.Check(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want %q", err, want)
		}
	}
	for _, s := range []schedule.Schedule{schedule.Auto(0), schedule.Auto(.5), schedule.YoungDaly(time.Hour, 0)} {
		if err := schedule.Check(s); err != nil {
			t.Errorf("Check = %v, want nil", err)
		}
	}
}
