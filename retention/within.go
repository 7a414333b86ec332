package retention

import (
	"fmt"
	"time"
)

// Within retains what is at most d older than the newest checkpoint, and
// removes the others; no clock is asked, so that a run that rests loses
// nothing. A d below zero retains none.
//
// An age is the sum of the times between a checkpoint and those after it. A
// clock that was set back makes one of these negative, and that counts as
// nothing: the ages that result are never more than the true ones, and what
// was saved by a clock far in the future does not stay until then.
func Within(d time.Duration) Policy {
	return each(func() func([]Checkpoint, int) Verdict {
		age := time.Duration(0)
		return func(list []Checkpoint, i int) Verdict {
			if i+1 < len(list) {
				age = plus(age, max(list[i+1].Time.Sub(list[i].Time), 0))
			}
			if age > d {
				return remove(fmt.Sprintf("more than %s older than the newest", span(d)))
			}
			return retain(fmt.Sprintf("within %s of the newest", span(d)))
		}
	})
}

// plus adds durations that are not negative, up to the longest there is.
func plus(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= 0 {
		return sum
	}
	return 1<<63 - 1
}
