package retention

import "fmt"

// EverySteps retains, of each n steps, the checkpoint that came first: the
// first one at or after each multiple of n, so that a save that came late, or
// was missed, leaves no hole. It removes the others, and those without a step;
// n below one retains none.
//
// What was first stays first: a run that goes back and passes the same steps
// again takes nothing from the run before.
func EverySteps(n int64) Policy {
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		taken := make(map[int64]bool)
		verdicts := make([]Verdict, len(list))
		for i, c := range list {
			if c.Rejected != "" {
				verdicts[i] = remove(isRejected)
				continue
			}
			verdicts[i] = everySteps(n, c.Step, taken)
		}
		return verdicts
	})
}

// everySteps judges a checkpoint when those before it have taken some multiples.
func everySteps(n int64, step *int64, taken map[int64]bool) Verdict {
	switch {
	case n <= 0:
		return remove("none is kept by its step")
	case step == nil:
		return remove("has no step")
	}
	over := *step % n // how far it is beyond a multiple
	if over < 0 {
		over += n
	}
	first := *step - over
	if taken[first] {
		return remove(fmt.Sprintf("not the first at or after step %d", first))
	}
	taken[first] = true
	return retain(fmt.Sprintf("first at or after step %d", first))
}
