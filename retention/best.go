package retention

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Metric is a number of a checkpoint's receipt, and which way is better.
type Metric struct {
	Name   string
	Higher bool // higher is better
}

// Lowest is a metric of which less is better, as of a loss.
func Lowest(name string) Metric { return Metric{Name: name} }

// Highest is a metric of which more is better, as of an accuracy.
func Highest(name string) Metric { return Metric{Name: name, Higher: true} }

// String returns "lowest val_loss".
func (m Metric) String() string {
	if m.Higher {
		return "highest " + m.Name
	}
	return "lowest " + m.Name
}

// Best retains the n best checkpoints by a metric, and removes the others; n
// below one retains none. The very best is a floor: no combination with other
// rules takes it away. A checkpoint without the metric, or of which it is NaN,
// or that is rejected, is never among the best. Of equal ones the older is the better: one must be
// better to take another's place, as in Keras's ModelCheckpoint.
func Best(n int, m Metric) Policy {
	n = max(n, 0)
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		verdicts := make([]Verdict, len(list))
		for i, c := range list {
			verdicts[i] = remove(m.notBest(c, n))
		}
		for rank, i := range m.ranking(list) {
			if rank == n {
				break
			}
			v := retain(fmt.Sprintf("best %d of %d by %v: %v", rank+1, n, m, list[i].Metrics[m.Name]))
			v.Floor = rank == 0
			verdicts[i] = v
		}
		return verdicts
	})
}

func (m Metric) notBest(c Checkpoint, n int) string {
	v, ok := c.Metrics[m.Name]
	switch {
	case n == 0:
		return fmt.Sprintf("none is kept for the %v", m)
	case !ok:
		return fmt.Sprintf("has no %s", m.Name)
	case math.IsNaN(v):
		return fmt.Sprintf("%s is NaN, which is never best", m.Name)
	case c.Rejected != "":
		return isRejected
	}
	return fmt.Sprintf("not among the best %d by %v: %v", n, m, v)
}

// ranking returns the places in list of what has the metric, the best first.
func (m Metric) ranking(list []Checkpoint) []int {
	var places []int
	for i, c := range list {
		if v, ok := c.Metrics[m.Name]; ok && !math.IsNaN(v) && c.Rejected == "" {
			places = append(places, i)
		}
	}
	slices.SortStableFunc(places, func(a, b int) int {
		order := cmp.Compare(list[a].Metrics[m.Name], list[b].Metrics[m.Name])
		if m.Higher {
			return -order
		}
		return order
	})
	return places
}
