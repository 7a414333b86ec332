// Package schedule decides when a checkpoint is to be saved, and says why.
//
// A Schedule is asked as often as a training likes, at each step for example,
// and answers from what is handed to it: the saves so far and the moment now.
// It reads no clock and remembers nothing that could be lost. A save that
// failed is left out of the History and so stays due; a process that starts
// anew makes the History from the checkpoints it finds.
//
//	schedule.Any(schedule.Steps(1000), schedule.Interval(10*time.Minute), schedule.Lowest("val_loss", nil))
package schedule

import (
	"errors"
	"strings"
	"time"
)

// Moment is a point of a training.
type Moment struct {
	Step    int64 // steps done
	Epoch   int64 // epochs done
	Time    time.Time
	Metrics map[string]float64 // those known at this moment
}

// Schedule says when to save.
type Schedule interface {
	// Due says whether a checkpoint is to be saved now, when the saves so far
	// were those of h, and why.
	Due(h History, now Moment) (reason string, due bool)
}

// Any is due when one of the schedules is, and gives the reasons of all that
// are. Without schedules it is never due.
func Any(schedules ...Schedule) Schedule { return anyOf(schedules) }

type anyOf []Schedule

func (a anyOf) Due(h History, now Moment) (string, bool) {
	var reasons []string
	for _, s := range a {
		if reason, due := s.Due(h, now); due {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, "; "), len(reasons) > 0
}

func (a anyOf) check() error {
	for _, s := range a {
		if s == nil {
			return errors.New("schedule: any of one that is nil")
		}
		if err := Check(s); err != nil {
			return err
		}
	}
	if len(a) == 0 {
		return errors.New("schedule: any of none")
	}
	return nil
}

// Counts says what s counts, if it is of this package: steps, epochs, both or
// neither. Where a Moment does not tell what is counted, s is never due.
func Counts(s Schedule) (steps, epochs bool) {
	if c, ok := s.(interface{ counts() (steps, epochs bool) }); ok {
		return c.counts()
	}
	return false, false
}

func (a anyOf) counts() (steps, epochs bool) {
	for _, s := range a {
		counted, done := Counts(s)
		steps, epochs = steps || counted, epochs || done
	}
	return steps, epochs
}

// Check returns an error if s is of this package and can never be due, such
// as Steps(0), which would leave a training without checkpoints unnoticed.
func Check(s Schedule) error {
	if c, ok := s.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}
