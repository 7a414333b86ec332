package retention

import "fmt"

// Latest keeps the n newest checkpoints and removes the others; n below one
// keeps none. (TensorFlow: max_to_keep)
func Latest(n int) Policy {
	n = max(n, 0)
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		verdicts := make([]Verdict, len(list))
		for i := range list {
			verdicts[i] = latest(len(list)-i, n)
		}
		return verdicts
	})
}

// latest judges the checkpoint of the given rank, 1 being the newest.
func latest(rank, n int) Verdict {
	switch {
	case rank <= n:
		return Verdict{Fate: Keep, Reason: fmt.Sprintf("latest %d of %d", rank, n)}
	case n == 0:
		return Verdict{Fate: Remove, Reason: "none is kept for being the latest"}
	case n == 1:
		return Verdict{Fate: Remove, Reason: "older than the latest"}
	}
	return Verdict{Fate: Remove, Reason: fmt.Sprintf("older than the latest %d", n)}
}
