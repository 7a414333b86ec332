package schedule

import (
	"fmt"
	"math"
)

// ImprovedOptions say what counts as better. Nil and zero values are the
// defaults.
type ImprovedOptions struct {
	// MinDelta is by how much a value must be better. (TensorFlow: min_delta)
	MinDelta float64
	// Threshold is what the first value must be better than.
	// (TensorFlow: initial_value_threshold)
	Threshold *float64
}

// Lowest is due when the metric is lower than at any save before. NaN is never
// lower, nor is a value equal to the lowest.
func Lowest(metric string, o *ImprovedOptions) Schedule { return newImproved(metric, -1, o) }

// Highest is due when the metric is higher than at any save before. NaN is
// never higher, nor is a value equal to the highest.
func Highest(metric string, o *ImprovedOptions) Schedule { return newImproved(metric, 1, o) }

type improved struct {
	metric string
	sign   float64 // 1: higher is better
	o      ImprovedOptions
}

func newImproved(metric string, sign float64, o *ImprovedOptions) improved {
	i := improved{metric: metric, sign: sign}
	if o != nil {
		i.o = *o
	}
	return i
}

func (i improved) Due(h History, now Moment) (string, bool) {
	v, ok := now.Metrics[i.metric]
	best, known := i.best(h)
	if !ok || !(i.sign*v-math.Abs(i.o.MinDelta) > i.sign*best) {
		return "", false
	}
	if !known {
		return fmt.Sprintf("%s is %g, the first", i.metric, v), true
	}
	return fmt.Sprintf("%s improved from %g to %g", i.metric, best, v), true
}

// best returns what is to be surpassed, and whether that is a value and not
// the worst there could be.
func (i improved) best(h History) (float64, bool) {
	best, known := -i.sign*math.Inf(1), false
	if i.o.Threshold != nil {
		best, known = *i.o.Threshold, true
	}
	saved, ok := h.Highest(i.metric)
	if i.sign < 0 {
		saved, ok = h.Lowest(i.metric)
	}
	if ok && !(i.sign*saved <= i.sign*best) {
		return saved, true
	}
	return best, known
}

func (i improved) check() error {
	if i.metric == "" {
		return fmt.Errorf("schedule: improvement of a metric without name")
	}
	if math.IsNaN(i.o.MinDelta) || i.o.Threshold != nil && math.IsNaN(*i.o.Threshold) {
		return fmt.Errorf("schedule: improvement of %s over NaN", i.metric)
	}
	return nil
}
