package preemption

import (
	"fmt"
	"time"
)

// Rung is how far a save under a deadline went.
type Rung int

// From all to nothing new.
const (
	Full        Rung = iota // everything, by the manager
	WeightsOnly             // TerminationConfig.Weights
	Drained                 // what asynchronous saves had begun is written, no more
)

func (r Rung) String() string {
	switch r {
	case Full:
		return "full save"
	case WeightsOnly:
		return "weights only"
	case Drained:
		return "no new save"
	}
	return fmt.Sprintf("rung %d", int(r))
}

// Report is what became of a save.
type Report struct {
	Rung     Rung
	Path     string        // of the checkpoint, in Weights.Dir for WeightsOnly; "" for Drained
	Runs     int64         // how many runs are saved in it
	Left     time.Duration // until the deadline, when it began; 0: not known
	Estimate time.Duration // what a full save was thought to take; 0: not known
	Took     time.Duration
	// Passed is why rungs above were not taken, in their order.
	Passed []error
}

// PreemptedError is returned by Run when the last save is done and
// TerminationConfig.Exit has returned, and from then on.
type PreemptedError struct{ Report Report }

func (e *PreemptedError) Error() string {
	text := fmt.Sprintf("preempted after %d runs: %v", e.Report.Runs, e.Report.Rung)
	if e.Report.Path != "" {
		text += ", " + e.Report.Path
	}
	return text
}
