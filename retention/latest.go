package retention

import "fmt"

// Latest keeps the n newest checkpoints and removes the others; n below one
// keeps none. Those that are rejected are counted by themselves, and go when
// they are older than the n newest others. (TensorFlow: max_to_keep)
func Latest(n int) Policy {
	n = max(n, 0)
	return each(func() func([]Checkpoint, int) Verdict {
		good, rejected := 0, 0 // which are newer
		return func(list []Checkpoint, i int) Verdict {
			if list[i].Rejected == "" {
				good++
				return latest(good, n)
			}
			rejected++
			// Else they would pile up where all that is saved is rejected.
			v := latest(max(good+1, rejected), n)
			if v.Fate == Keep {
				v.Reason = fmt.Sprintf("rejected, no older than the latest %d others", n)
			}
			return v
		}
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
