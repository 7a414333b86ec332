package schedule_test

import (
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/schedule"
)

// saves returns the steps at which s is due, of those asked about, when each
// save succeeds.
func saves(s schedule.Schedule, h schedule.History, steps ...int64) []int64 {
	var due []int64
	for _, step := range steps {
		now := schedule.Moment{Step: step, Epoch: step / 10, Time: time.Unix(step, 0)}
		if _, is := s.Due(h, now); is {
			due = append(due, step)
			h = h.And(now)
		}
	}
	return due
}

func upTo(n, by int64) []int64 {
	var steps []int64
	for i := by; i <= n; i += by {
		steps = append(steps, i)
	}
	return steps
}

func TestWhatIsDueWhen(t *testing.T) {
	start := schedule.Since(schedule.Moment{Time: time.Unix(0, 0)})
	resumed := schedule.Since(schedule.Moment{}).And(schedule.Moment{Step: 17, Epoch: 1, Time: time.Unix(17, 0)})
	for _, c := range []struct {
		name  string
		s     schedule.Schedule
		h     schedule.History
		steps []int64
		want  []int64
	}{
		{"a grid", schedule.Steps(4), start, upTo(14, 1), []int64{4, 8, 12}},
		{"a grid in jumps, the surplus is not lost", schedule.Steps(6), start, upTo(24, 4), []int64{8, 12, 20, 24}},
		{"a grid in jumps longer than it", schedule.Steps(3), start, upTo(21, 7), []int64{7, 14, 21}},
		{"a grid after a restart does not drift", schedule.Steps(5), resumed, []int64{18, 19, 20, 21, 25}, []int64{20, 25}},
		{"a grid of a training that went back", schedule.Steps(5), resumed, []int64{3, 4, 5, 6, 9, 10}, []int64{5, 10}},
		{"no grid", schedule.Steps(0), start, upTo(5, 1), nil},
		{"epochs", schedule.Epochs(2), start, upTo(60, 5), []int64{20, 40, 60}},
		{"epochs after a restart", schedule.Epochs(2), resumed, []int64{19, 20, 25, 30, 40}, []int64{20, 40}},
		{"an interval", schedule.Interval(7 * time.Second), start, upTo(30, 3), []int64{9, 18, 27}},
		{"an interval after a restart", schedule.Interval(7 * time.Second), resumed, upTo(30, 1)[17:], []int64{24}},
		{"an interval when the clock went back", schedule.Interval(7 * time.Second), resumed, []int64{3, 4, 10, 11}, []int64{3, 10}},
		{"no interval", schedule.Interval(0), resumed, []int64{3, 400}, nil},
		{"at", schedule.At(3, 4, 9), start, upTo(12, 1), []int64{3, 4, 9}},
		{"at, in jumps", schedule.At(3, 4, 9), start, upTo(20, 5), []int64{5, 10}},
		{"at, when the training went back", schedule.At(3, 18), resumed, []int64{2, 3, 4, 17, 18}, []int64{3, 18}},
		{"any", schedule.Any(schedule.Steps(4), schedule.At(5)), start, upTo(9, 1), []int64{4, 5, 8}},
		{"any of none", schedule.Any(), start, upTo(9, 1), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := saves(c.s, c.h, c.steps...); !slices.Equal(got, c.want) {
				t.Errorf("due at steps %v, want %v", got, c.want)
			}
		})
	}
}

func TestAFailedSaveStaysDue(t *testing.T) {
	s, h := schedule.Any(schedule.Steps(4), new(schedule.Request)), schedule.History{}
	for step := int64(4); step < 8; step++ {
		if reason, due := s.Due(h, schedule.Moment{Step: step}); !due {
			t.Errorf("Due at step %d after failures = %q, false", step, reason)
		}
	}
	h = h.And(schedule.Moment{Step: 7})
	if reason, due := s.Due(h, schedule.Moment{Step: 7}); due {
		t.Errorf("Due after the save = %q, true", reason)
	}
}

func value(v float64) schedule.Moment {
	return schedule.Moment{Metrics: map[string]float64{"loss": v}}
}

func TestImprovement(t *testing.T) {
	nan, inf, half := math.NaN(), math.Inf(1), 0.5
	for _, c := range []struct {
		name         string
		s            schedule.Schedule
		values, want []float64
	}{
		{"lowest", schedule.Lowest("loss", nil), []float64{3, 3, 2, 2.5, 1}, []float64{3, 2, 1}},
		{"highest", schedule.Highest("loss", nil), []float64{3, 3, 2, 3.5, 1}, []float64{3, 3.5}},
		{"NaN is never better", schedule.Lowest("loss", nil), []float64{nan, 3, nan, 2}, []float64{3, 2}},
		{"the worst is no improvement", schedule.Lowest("loss", nil), []float64{inf, 4}, []float64{4}},
		{"a threshold", schedule.Lowest("loss", &schedule.ImprovedOptions{Threshold: &half}), []float64{3, .5, .4, .45}, []float64{.4}},
		{"a threshold above", schedule.Highest("loss", &schedule.ImprovedOptions{Threshold: &half}), []float64{.1, .5, .6}, []float64{.6}},
		{"a delta", schedule.Lowest("loss", &schedule.ImprovedOptions{MinDelta: 1}), []float64{5, 4, 3.5, 2.5, 2}, []float64{5, 3.5, 2}},
		{"another metric", schedule.Lowest("acc", nil), []float64{5, 4}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h schedule.History
			var got []float64
			for _, v := range c.values {
				if _, due := c.s.Due(h, value(v)); due {
					got = append(got, v)
					h = h.And(value(v))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("saved at %v of %v, want %v", got, c.values, c.want)
			}
		})
	}
}

func TestTheBestIsOverAllSavesWhateverTheirReason(t *testing.T) {
	var h schedule.History
	for _, v := range []float64{3, 1, 7, math.NaN()} {
		h = h.And(value(v))
	}
	for v, want := range map[float64]bool{.9: true, 1: false, 2: false} {
		if reason, due := schedule.Lowest("loss", nil).Due(h, value(v)); due != want {
			t.Errorf("Lowest at %v = %q, %v, want %v", v, reason, due, want)
		}
	}
	if got, ok := h.Highest("loss"); got != 7 || !ok {
		t.Errorf("Highest = %v, %v, want 7, true", got, ok)
	}
}

func TestAThresholdHoldsWhereAWorseModelWasSaved(t *testing.T) {
	half := .5
	h := schedule.History{}.And(value(3)) // for another reason
	for v, want := range map[float64]bool{.4: true, .7: false} {
		s := schedule.Lowest("loss", &schedule.ImprovedOptions{Threshold: &half})
		if reason, due := s.Due(h, value(v)); due != want {
			t.Errorf("Lowest at %v = %q, %v, want %v", v, reason, due, want)
		}
	}
}

func TestAHistoryIsAValue(t *testing.T) {
	before := schedule.History{}.And(value(3))
	after := before.And(value(1))
	if got, _ := before.Lowest("loss"); got != 3 || before.Saves() != 1 {
		t.Errorf("after And, the History before = lowest %v, %d saves, want 3, 1", got, before.Saves())
	}
	if got, _ := after.Lowest("loss"); got != 1 || after.Saves() != 2 {
		t.Errorf("And = lowest %v, %d saves, want 1, 2", got, after.Saves())
	}
}

func TestARequestIsDueUntilOneMoreSave(t *testing.T) {
	var r schedule.Request
	var h schedule.History
	ask := func(want bool) {
		t.Helper()
		if reason, due := r.Due(h, schedule.Moment{}); due != want || due && reason != "people want it" {
			t.Errorf("Due = %q, %v, want %v", reason, due, want)
		}
	}
	ask(false)
	r.Ask("people want it")
	ask(true)
	under := h.And(schedule.Moment{}) // a save begins
	h, under = under, h
	ask(false)
	h, under = under, h // and fails
	ask(true)
	h = under
	ask(false)
	r.Ask("people want it")
	ask(true)
}

func TestARequestMayBeAskedByManyAtOnce(t *testing.T) {
	var r schedule.Request
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { r.Ask("now") })
	}
	wait.Wait()
	if _, due := r.Due(schedule.History{}, schedule.Moment{}); !due {
		t.Error("Due after Ask = false")
	}
}

func TestASignalIsDueUntilOneMoreSave(t *testing.T) {
	c := make(chan os.Signal, 1)
	s, h := schedule.Signal(c), schedule.History{}
	if reason, due := s.Due(h, schedule.Moment{}); due {
		t.Errorf("Due without a signal = %q, true", reason)
	}
	c <- syscall.SIGTERM
	for range 2 {
		if reason, due := s.Due(h, schedule.Moment{}); !due || reason != "signal: terminated" {
			t.Errorf("Due after a signal = %q, %v, want signal: terminated, true", reason, due)
		}
	}
	close(c)
	if reason, due := s.Due(h.And(schedule.Moment{}), schedule.Moment{}); due {
		t.Errorf("Due after the save, with a closed channel = %q, true", reason)
	}
}

func TestASaveHasTheReasonsOfAllThatWantIt(t *testing.T) {
	s := schedule.Any(schedule.Steps(5), schedule.Epochs(2), schedule.Lowest("loss", nil), schedule.At(10), schedule.Interval(time.Minute))
	h := schedule.Since(schedule.Moment{Time: time.Unix(0, 0)})
	reason, _ := s.Due(h, schedule.Moment{Step: 10, Epoch: 1, Time: time.Unix(90, 0), Metrics: map[string]float64{"loss": .25}})
	want := "step 10: each 5; loss is 0.25, the first; step 10 of those asked for; 1m30s after the last save"
	if reason != want {
		t.Errorf("reason = %q, want %q", reason, want)
	}
}

func TestAScheduleThatCanNeverBeDueIsRefused(t *testing.T) {
	nan := math.NaN()
	for want, s := range map[string]schedule.Schedule{
		"each 0 steps":                schedule.Steps(0),
		"each -1 epochs":              schedule.Any(schedule.Steps(1), schedule.Epochs(-1)),
		"each 0s":                     schedule.Interval(0),
		"at step 0":                   schedule.At(1, 0),
		"at no step":                  schedule.At(),
		"any of none":                 schedule.Any(),
		"any of one that is nil":      schedule.Any(schedule.Steps(1), nil),
		"without name":                schedule.Lowest("", nil),
		"improvement of acc over NaN": schedule.Highest("acc", &schedule.ImprovedOptions{Threshold: &nan}),
	} {
		if err := schedule.Check(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want %q", err, want)
		}
	}
	good := schedule.Any(schedule.Steps(1), schedule.Lowest("loss", nil), new(schedule.Request), schedule.At(7), schedule.Interval(1))
	if err := schedule.Check(good); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
}
