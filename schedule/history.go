package schedule

import (
	"maps"
	"time"
)

// History is what a Schedule needs to know of the saves so far. It is a value:
// And returns a new one, and so that of before a save is at hand when the save
// fails. The zero History has no saves and begins at step 0.
type History struct {
	count int64
	last  Moment
	best  map[string]extremes
	cost  Cost
}

// Cost is what a save costs a training.
type Cost struct {
	Stall time.Duration // for which the training waits
	Write time.Duration // until it is written; of one under way, more than until now
}

// extremes are the lowest and the highest value of a metric.
type extremes struct{ lowest, highest float64 }

// Since returns the History of a training that has not saved yet and begins at
// start. What counts from the last save counts from there before the first.
func Since(start Moment) History { return History{last: start} }

// And returns h and after it a save at m.
func (h History) And(m Moment) History {
	next := History{count: h.count + 1, last: m, best: maps.Clone(h.best), cost: h.cost}
	for name, v := range m.Metrics {
		if v != v { // NaN is no value to compare with
			continue
		}
		if next.best == nil {
			next.best = make(map[string]extremes)
		}
		e, ok := next.best[name]
		if !ok {
			e = extremes{v, v}
		}
		next.best[name] = extremes{min(e.lowest, v), max(e.highest, v)}
	}
	return next
}

// Costing returns h, of which the last save that was measured cost c.
func (h History) Costing(c Cost) History {
	h.cost = c
	return h
}

// Cost returns what the last save that was measured cost, as far as is known.
func (h History) Cost() Cost { return h.cost }

// Saves returns how many saves there were.
func (h History) Saves() int64 { return h.count }

// Last returns the moment of the last save or, before the first, of the start.
func (h History) Last() Moment { return h.last }

// Lowest returns the lowest value that a metric had at a save, and whether it
// had one.
func (h History) Lowest(metric string) (float64, bool) {
	e, ok := h.best[metric]
	return e.lowest, ok
}

// Highest returns the highest value that a metric had at a save, and whether
// it had one.
func (h History) Highest(metric string) (float64, bool) {
	e, ok := h.best[metric]
	return e.highest, ok
}
