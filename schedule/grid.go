package schedule

import (
	"fmt"
	"slices"
	"time"
)

// Steps is due at each multiple of n steps, or at the first step asked about
// after it. It is a grid and does not drift: asked at steps 4, 8, 12 and so on,
// Steps(6) is due at 8, 12, 20 and 24, where TensorFlow's counter begins anew
// at each save, loses the surplus and is due at 8, 16 and 24 only.
// (TensorFlow: save_freq)
func Steps(n int64) Schedule { return grid{n, "step", func(m Moment) int64 { return m.Step }} }

// Epochs is due at each multiple of n epochs done. (TensorFlow: period)
func Epochs(n int64) Schedule { return grid{n, "epoch", func(m Moment) int64 { return m.Epoch }} }

type grid struct {
	n     int64
	unit  string
	count func(Moment) int64
}

func (g grid) Due(h History, now Moment) (string, bool) {
	at, last := g.count(now), g.count(h.last)
	if g.n < 1 || !g.crossed(last, at) {
		return "", false
	}
	return fmt.Sprintf("%s %d: each %d", g.unit, at, g.n), true
}

// crossed says whether a multiple of n lies after last and not after at. Where
// a training went back to an older checkpoint, it is at one that counts.
func (g grid) crossed(last, at int64) bool {
	if at < last {
		return at%g.n == 0
	}
	return at/g.n > last/g.n
}

func (g grid) counts() (steps, epochs bool) { return g.unit == "step", g.unit == "epoch" }

func (g grid) check() error {
	if g.n < 1 {
		return fmt.Errorf("schedule: each %d %ss: want 1 or more", g.n, g.unit)
	}
	return nil
}

// At is due at each of the steps, or at the first step asked about after it.
func At(steps ...int64) Schedule { return at(steps) }

type at []int64

func (a at) Due(h History, now Moment) (string, bool) {
	last := h.last.Step
	if now.Step < last { // the training went back: only a step itself counts
		last = now.Step - 1
	}
	i := slices.IndexFunc(a, func(s int64) bool { return last < s && s <= now.Step })
	if i < 0 {
		return "", false
	}
	return fmt.Sprintf("step %d of those asked for", a[i]), true
}

func (a at) counts() (steps, epochs bool) { return true, false }

func (a at) check() error {
	for _, s := range a {
		if s < 1 {
			return fmt.Errorf("schedule: at step %d: want 1 or more", s)
		}
	}
	if len(a) == 0 {
		return fmt.Errorf("schedule: at no step at all")
	}
	return nil
}

// Interval is due when d has passed since the last save.
func Interval(d time.Duration) Schedule { return interval(d) }

type interval time.Duration

func (i interval) Due(h History, now Moment) (string, bool) {
	since := now.Time.Sub(h.last.Time)
	if since < 0 { // the clock went back, nobody knows how far
		return "the clock is before the last save", i > 0
	}
	if i <= 0 || since < time.Duration(i) {
		return "", false
	}
	return fmt.Sprintf("%v after the last save", since.Round(time.Second)), true
}

func (i interval) check() error {
	if i <= 0 {
		return fmt.Errorf("schedule: each %v: want more than 0", time.Duration(i))
	}
	return nil
}
