package retention

import (
	"fmt"
	"strings"
	"time"
)

// Every preserves a checkpoint that is d or more newer than the one preserved
// before it, lastPreserved being that one's time at the start, and removes the
// others. A d of zero or less preserves none.
// (TensorFlow: keep_checkpoint_every_n_hours)
//
// The times compared are those of the checkpoints, as in TensorFlow's sweep
// (checkpoint_management.py): a checkpoint is judged when it is about to be
// removed, but by its own age.
func Every(d time.Duration, lastPreserved time.Time) Policy {
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		last := lastPreserved
		verdicts := make([]Verdict, len(list))
		for i, c := range list {
			if c.Rejected != "" {
				verdicts[i] = remove(isRejected)
				continue
			}
			verdicts[i] = every(d, last, c.Time)
			if verdicts[i].Fate == Preserve {
				last = c.Time
			}
		}
		return verdicts
	})
}

func every(d time.Duration, last, t time.Time) Verdict {
	if d <= 0 {
		return Verdict{Fate: Remove, Reason: "none is kept by time"}
	}
	// Sub saturates, which serves here: a zero lastPreserved is farther
	// away than any interval.
	since := t.Sub(last)
	switch {
	case since < d:
		return Verdict{Fate: Remove, Reason: fmt.Sprintf("not yet %s after the last kept one", span(d))}
	case last.IsZero() || last.Unix() == 0:
		return Verdict{Fate: Preserve, Reason: fmt.Sprintf("kept every %s: the first one", span(d))}
	}
	return Verdict{Fate: Preserve, Reason: fmt.Sprintf("kept every %s: %s after the last kept one", span(d), span(since))}
}

// span writes a duration without the zero parts of time.Duration's String:
// "1h", "1h12m", where that says "1h0m0s", "1h12m0s". Only durations of a
// second and more are rounded, to the second.
func span(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}
