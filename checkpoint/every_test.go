package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// every saves at each step up to a last one and returns the steps saved.
func every(t *testing.T, m *Manager, step *int64, last int64, metrics map[int64]float64) (saved []int64) {
	t.Helper()
	for ; *step <= last; *step++ {
		o := &SaveOptions{Epoch: number64(*step / 5), Metrics: map[string]float64{}}
		if v, ok := metrics[*step]; ok {
			o.Metrics["loss"] = v
		}
		if mustSave(t, m, o) != "" {
			saved = append(saved, *step)
		}
	}
	return saved
}

func TestEverySaysWhichSavesAreDueAlsoAfterARestart(t *testing.T) {
	for _, c := range []struct {
		name          string
		every         schedule.Schedule
		first, second []int64
	}{
		{"steps", schedule.Steps(4), []int64{4, 8}, []int64{12, 16}},
		{"epochs", schedule.Epochs(2), []int64{10}, []int64{}},
		{"an interval", schedule.Interval(5 * time.Second), []int64{5, 10}, []int64{15}},
		{"improvement", schedule.Lowest("loss", nil), []int64{2, 5}, []int64{14}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, step := mem.Dir(), int64(1)
			now := func() time.Time { return time.Unix(step, 0) }
			metrics := map[int64]float64{2: .5, 5: .3, 7: .4, 12: .3, 14: .2}
			open := func() *Manager {
				v, _ := one(1)
				return newManager(t, v, dir, &ManagerOptions{Every: c.every, Now: now, StepCounter: func() int64 { return step }})
			}
			step = 0
			m := open()
			step = 1
			if got := every(t, m, &step, 10, metrics); !slices.Equal(got, c.first) {
				t.Errorf("saved at steps %v, want %v", got, c.first)
			}
			if got := every(t, open(), &step, 17, metrics); !slices.Equal(got, c.second) {
				t.Errorf("after a restart, saved at steps %v, want %v", got, c.second)
			}
		})
	}
}

func TestASaveThatFailedStaysDue(t *testing.T) {
	dir, step, refuse := mem.Dir(), int64(3), errors.New("not now")
	c, _ := one(1)
	o := &ManagerOptions{Every: schedule.Steps(3), StepCounter: func() int64 { return step }}
	o.Hooks = &Hooks{BeforeSave: func(context.Context, string) error { return refuse }}
	m := newManager(t, c, dir, o)
	if _, err := m.Save(background(), nil); !errors.Is(err, refuse) {
		t.Fatalf("Save = %v, want %v", err, refuse)
	}
	refuse = nil
	for step = 4; step < 8; step++ {
		if got, want := mustSave(t, m, nil) != "", step == 4 || step == 6; got != want {
			t.Errorf("saved at step %d = %v, want %v", step, got, want)
		}
	}
	if got := mustSave(t, m, &SaveOptions{Force: true}); got != "ckpt-3" {
		t.Errorf("forced Save = %q, want ckpt-3", got)
	}
}

func TestAnAsynchronousSaveUnderWayIsNotDueAgain(t *testing.T) {
	dir, step := newGated(), int64(3)
	c, _ := one(1)
	asked := new(schedule.Request)
	o := &ManagerOptions{Every: schedule.Any(schedule.Steps(3), asked), StepCounter: func() int64 { return step }, Async: &Async{Queue: 5}}
	m := newManager(t, c, dir, o)
	s := mustBegin(t, m, nil)
	due := func(want bool) *Saving {
		t.Helper()
		s, err := m.Begin(background(), nil)
		if (s != nil) != want || err != nil {
			t.Fatalf("Begin at step %d = %v, %v, want a save: %v", step, s, err, want)
		}
		return s
	}
	step = 4
	due(false)
	dir.pass <- errDisk
	if err := s.Wait(background()); !errors.Is(err, errDisk) {
		t.Fatalf("Wait = %v, want %v", err, errDisk)
	}
	due(true) // what failed was not made
	due(false)
	asked.Ask("now")
	due(true)
	due(false)
	dir.let(2)
	mustSync(t, m)
	due(false)
}

func TestOptionsThatBothSayWhenToSave(t *testing.T) {
	c, _ := one(1)
	for _, o := range []*ManagerOptions{
		{Every: schedule.Steps(3), CheckpointInterval: 3, StepCounter: func() int64 { return 0 }},
		{Every: schedule.Steps(0)},
	} {
		if _, err := NewManager(background(), c, mem.Dir(), o); err == nil {
			t.Errorf("NewManager(%+v) = nil, want an error", o)
		}
	}
}

// A count of 0, for want of a better one, would look like a training that went
// back, and each save after it would be due.
func TestACountThatASaveIsNotToldIsAsBefore(t *testing.T) {
	dir := mem.Dir()
	open := func() *Manager {
		c, _ := one(1)
		return newManager(t, c, dir, &ManagerOptions{Every: schedule.Epochs(5)})
	}
	m := open()
	if mustSave(t, m, &SaveOptions{Epoch: number64(6)}) == "" {
		t.Error("epoch 6 was not due")
	}
	if mustSave(t, m, &SaveOptions{Force: true}) == "" {
		t.Error("a forced save was not made")
	}
	for name, m := range map[string]*Manager{"this process": m, "the next process": open()} {
		if got := mustSave(t, m, &SaveOptions{Epoch: number64(7)}); got != "" {
			t.Errorf("%s: Save at epoch 7 = %q, want none before epoch 10", name, got)
		}
	}
}

func TestASaveThatDoesNotTellWhatEveryCountsIsAnError(t *testing.T) {
	steps := "save: option Every counts steps, and nobody tells them: set StepCounter or SaveOptions.Step"
	epochs := "save: option Every counts epochs, and nobody tells them: set SaveOptions.Epoch"
	for _, c := range []struct {
		every schedule.Schedule
		o     *SaveOptions
		want  string
	}{
		{schedule.Steps(3), nil, steps},
		{schedule.Any(schedule.Interval(time.Hour), schedule.At(3)), &SaveOptions{Epoch: number64(1)}, steps},
		{schedule.Epochs(3), &SaveOptions{Step: number64(1)}, epochs},
		{schedule.Any(schedule.Steps(3), schedule.Epochs(3)), &SaveOptions{Step: number64(1)}, epochs},
		{schedule.Steps(3), &SaveOptions{Step: number64(1)}, "<nil>"},
		{schedule.Steps(3), &SaveOptions{Force: true}, "<nil>"},
		{schedule.Interval(time.Hour), nil, "<nil>"},
	} {
		v, _ := one(1)
		m := newManager(t, v, mem.Dir(), &ManagerOptions{Every: c.every})
		if _, err := m.Save(background(), c.o); fmt.Sprint(err) != c.want {
			t.Errorf("%v: Save(%v) = %v, want %s", c.every, c.o, err, c.want)
		}
	}
}
