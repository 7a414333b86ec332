//go:build interop

package interop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/ckpt-dev/ckpt/callbacks"
)

// kerasHistory is what a ModelCheckpoint is told, in one process after the other.
type kerasHistory struct {
	Options kerasOptions   `json:"options"`
	Runs    [][]kerasEvent `json:"runs"`
}

// kerasOptions are ModelCheckpoint's keyword arguments.
type kerasOptions struct {
	Filepath        string  `json:"filepath"`
	Monitor         string  `json:"monitor"`
	SaveBestOnly    bool    `json:"save_best_only"`
	SaveWeightsOnly bool    `json:"save_weights_only"`
	Mode            string  `json:"mode"`
	SaveFreq        any     `json:"save_freq"` // "epoch" or an int64
	Threshold       *string `json:"initial_value_threshold,omitempty"`
	Period          int64   `json:"period,omitempty"` // tf-keras only
}

type kerasEvent struct {
	On    string            `json:"on"`
	Epoch int64             `json:"epoch"`
	Batch int64             `json:"batch"`
	Logs  map[string]string `json:"logs,omitempty"` // JSON has no NaN
}

func (e kerasEvent) logs() callbacks.Logs {
	logs := callbacks.Logs{}
	for name, text := range e.Logs {
		logs[name], _ = strconv.ParseFloat(text, 64) // as number wrote it
	}
	return logs
}

func pyNumber(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// kerasOutcome is what Keras did in an event, or we.
type kerasOutcome struct {
	Saved []string
	Asked bool // whether a save was due, the best or not
	Error string
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// metricNames are those of a batch, and those that an epoch adds.
var metricNames = [2][]string{{"loss", "acc", "quality"}, {"val_loss", "val_acc", "val_quality"}}

func randomValue(r *rand.Rand) string {
	switch r.IntN(25) {
	case 0:
		return pyNumber(math.NaN())
	case 1:
		return pyNumber(math.Inf(pick(r, 1, -1)))
	case 2:
		return pyNumber(r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20)))
	}
	return pyNumber(float64(r.IntN(12)) / 8) // ties are frequent
}

func randomLogs(r *rand.Rand, kinds [][]string) map[string]string {
	logs := map[string]string{}
	for _, names := range kinds {
		for _, name := range names {
			if r.IntN(80) > 0 {
				logs[name] = randomValue(r)
			}
		}
	}
	return logs
}

// randomKerasHistory is one for Keras 3 or for tf-keras.
func randomKerasHistory(r *rand.Rand, tfKeras bool) kerasHistory {
	o := kerasOptions{SaveFreq: "epoch", SaveBestOnly: r.IntN(2) == 0, SaveWeightsOnly: true}
	o.Mode = pick(r, "auto", "min", "max")
	o.Monitor = pick(r, append(append([]string{}, metricNames[0]...), metricNames[1]...)...)
	if o.Mode == "auto" {
		o.Monitor = pick(r, "loss", "val_loss", "acc", "val_acc")
		if !tfKeras { // which asks the model for the others
			o.Monitor = pick(r, "loss", "val_loss")
		}
	}
	patterns := []string{"cp", "cp-{epoch}", "{epoch:03d}", "cp-{epoch:02d}-{val_loss:.2f}", "d{epoch}/cp-{acc:.3e}", "[{epoch:>4}]*", "{val_acc}"}
	if r.IntN(2) == 0 {
		o.SaveFreq = 1 + r.Int64N(9)
		o.Monitor = pick(r, o.Monitor, "loss")
		patterns = []string{"cp", "cp-{epoch}-{batch}", "{batch:+d}", "d{epoch}/{batch}", "cp-{epoch:02d}-{batch:03d}-{loss:g}", "{loss:08.3f}", "cp-{val_loss}"}
	} else if tfKeras && r.IntN(3) == 0 {
		o.Period = 1 + r.Int64N(3)
	}
	o.Filepath = pick(r, patterns...) + ".weights.h5"
	if r.IntN(4) == 0 {
		o.Threshold = new(string)
		*o.Threshold = pyNumber(float64(r.IntN(12)) / 8)
	}
	return kerasHistory{o, randomKerasRuns(r)}
}

// randomKerasRuns are of epochs of so many batches, some of them several at once.
func randomKerasRuns(r *rand.Rand) [][]kerasEvent {
	batches, each := 1+r.Int64N(8), int64(1)
	if r.IntN(3) == 0 {
		each = 1 + r.Int64N(4)
	}
	var runs [][]kerasEvent
	epoch := int64(0)
	for range 1 + r.IntN(5)/4 {
		run := []kerasEvent{{On: "train_begin"}}
		for range 1 + r.IntN(8) {
			run = append(run, kerasEvent{On: "epoch_begin", Epoch: epoch})
			for done := each; done < batches+each; done += each {
				run = append(run, kerasEvent{On: "batch_end", Epoch: epoch, Batch: min(done, batches) - 1, Logs: randomLogs(r, metricNames[:1])})
			}
			run = append(run, kerasEvent{On: "epoch_end", Epoch: epoch, Logs: randomLogs(r, metricNames[:])})
			epoch++
		}
		runs = append(runs, run)
	}
	return runs
}

// kerasPurpose finds where we begin to differ from Keras on purpose. A comparison
// ends there: from then on the two have saved different things.
type kerasPurpose struct {
	h       kerasHistory
	tfKeras bool

	run              int
	candidate, ended bool // a best was compared already; an epoch has ended
	seen, last       int64
}

// differs returns why the two may differ from this event on, "" if they may
// not; asked tells that Keras was about to save.
func (p *kerasPurpose) differs(run int, e kerasEvent, asked bool) string {
	if run != p.run {
		p.run, p.seen, p.last, p.ended = run, 0, -1, false
		if p.candidate {
			return "Keras forgets the best at a restart (P35)"
		}
		if p.h.Options.Period > 1 {
			return "tf-keras's period begins anew at a restart, ours is a grid"
		}
	}
	if e.On == "batch_end" {
		if reason := p.surplus(e.Batch); reason != "" {
			return reason
		}
	}
	if e.On == "epoch_end" {
		defer func() { p.ended = true }()
	}
	if !asked || !p.h.Options.SaveBestOnly {
		return ""
	}
	first := !p.candidate && p.h.Options.Threshold == nil
	p.candidate = true
	if p.tfKeras {
		return ""
	}
	v, has := e.logs()[p.h.Options.Monitor]
	switch {
	case !has:
		return "Keras 3 saves when the metric is missing (P35)"
	case first && (math.IsNaN(v) || math.IsInf(v, 0)):
		return "Keras 3 takes any first value for the best (P35)"
	case !first && e.On == "batch_end" && !p.ended:
		return "Keras 3 raises TypeError before the first epoch has ended (P35)"
	}
	return ""
}

// surplus finds saves by which Keras loses batches.
func (p *kerasPurpose) surplus(batch int64) string {
	if batch <= p.last {
		p.last = -1
	}
	p.seen += batch - p.last
	p.last = batch
	freq, ok := p.h.Options.SaveFreq.(int64)
	if !ok || p.seen < freq {
		return ""
	}
	if p.seen > freq {
		return "Keras loses the batches beyond save_freq (P35)"
	}
	p.seen = 0
	return ""
}

func (h kerasHistory) String() string { return fmt.Sprintf("%+v, %d runs", h.Options, len(h.Runs)) }
