package callbacks

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Mode says which values of a metric are the better ones. (TensorFlow: mode)
type Mode string

// The modes. Auto goes by the name of the metric; one whose name it does not
// know is an error where the direction matters, because a wrong guess would
// keep the worst.
const (
	Auto Mode = "auto"
	Min  Mode = "min"
	Max  Mode = "max"
)

// Words of names from which Auto knows the direction: those of Keras's own
// metrics (keras/src/metrics, _direction) and some that everybody uses.
var (
	lowerIsBetter = []string{"loss", "error", "crossentropy", "hinge", "logcosh", "divergence", "poisson",
		"perplexity", "mse", "mae", "mape", "msle", "rmse"}
	higherIsBetter = []string{"accuracy", "acc", "auc", "precision", "recall", "sensitivity", "specificity",
		"correlation", "similarity", "fmeasure", "fbeta", "f1", "r2", "iou", "bleu", "dice"}
)

// direction returns Min, Max or, for a name it does not know, Auto.
func direction(metric string) Mode {
	words := strings.Split(strings.TrimPrefix(metric, "val_"), "_")
	among := func(w string) func(string) bool { return func(known string) bool { return w == known } }
	for _, w := range slices.Backward(words) { // the last says most: "accuracy_loss"
		switch {
		case slices.ContainsFunc(lowerIsBetter, among(w)):
			return Min
		case slices.ContainsFunc(higherIsBetter, among(w)), strings.Contains(w, "acc"):
			return Max
		}
	}
	return Auto
}

// monitor compares the values of a metric.
type monitor struct {
	metric string
	sign   float64 // 1: higher is better; 0: nobody knows
	delta  float64 // what is not better by more than this is not better
	best   float64
}

// newMonitor returns a monitor whose best is worse than everything. Whether
// the direction is known the caller asks if it needs to be.
func newMonitor(metric, otherwise string, mode Mode) (monitor, error) {
	if metric == "" {
		metric = otherwise
	}
	if mode == "" || mode == Auto {
		mode = direction(metric)
	}
	m := monitor{metric: metric}
	switch mode {
	case Min:
		m.sign = -1
	case Max:
		m.sign = 1
	case Auto:
	default:
		return m, fmt.Errorf("mode is %q, want %q, %q or %q", mode, Auto, Min, Max)
	}
	m.best = math.Inf(-int(m.sign))
	return m, nil
}

// check returns an error if the direction is not known.
func (m *monitor) check() error {
	if m.sign == 0 {
		return fmt.Errorf("is %q better when it is lower or when it is higher? say so with Mode", m.metric)
	}
	return nil
}

// better says whether v improves on a value. NaN never does.
func (m *monitor) better(v, than float64) bool { return m.sign*v-m.delta > m.sign*than }
