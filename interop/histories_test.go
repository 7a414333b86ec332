//go:build interop

package interop

import (
	"math/rand/v2"
)

// history is what befalls a directory and up to two managers in it. Both
// sides live through it; py/histories.py has TensorFlow's.
type history struct {
	Base     string `json:"base"` // where it takes place
	Relative bool   `json:"relative"`
	Steps    []step `json:"steps"`
}

// step is one event. Fields that an event does not use are zero.
type step struct {
	Do    string  `json:"do"`
	Slot  int     `json:"slot"`  // of the two managers
	Clock float64 `json:"clock"` // the time it is, in seconds
	Step  int64   `json:"step"`  // what the step counter says
	Value float64 `json:"value"` // what the variable becomes first; 0: it stays

	// "open": a manager, with a Checkpoint of its own or the other's.
	Fresh   bool    `json:"fresh"`
	Share   bool    `json:"share"`
	Wide    bool    `json:"wide"` // a Checkpoint with one more variable
	Style   int     `json:"style"`
	Options options `json:"options"`

	// "save"
	Number *int64 `json:"number"`
	Tensor bool   `json:"tensor"`
	Force  bool   `json:"force"`
	Broken bool   `json:"broken"` // an object's own saving fails

	Pick  int      `json:"pick"`  // "restore", "remove": which one
	Parts []string `json:"parts"` // "remove"
	How   string   `json:"how"`   // "edit"
	Name  string   `json:"name"`  // "plain": Checkpoint.save
	Copy  bool     `json:"copy"`  // "move"
}

// options are those of a manager, in TensorFlow's terms.
type options struct {
	Keep     *int     `json:"keep"`
	Hours    *float64 `json:"hours"`
	Name     string   `json:"name"`
	Counter  bool     `json:"counter"`
	Interval *int64   `json:"interval"`
	Last     *int64   `json:"last"`
	Init     bool     `json:"init"`
}

const stepsOfAHistory = 25

// author makes up a history.
type author struct {
	*rand.Rand
	h        history
	clock    float64
	step     int64
	value    float64
	deep     bool    // checkpoints in a directory below
	open     [2]bool // there is a manager, as far as known
	refused  bool    // the state file is one that no manager opens
	absolute bool    // the state file has had absolute paths: moving would make them lead elsewhere
}

// makeHistory makes up the history number of a seed.
func makeHistory(seed, number uint64) history {
	a := &author{Rand: rand.New(rand.NewPCG(seed, number))}
	// Recent times, of which a double holds no nanoseconds.
	a.clock = 1.7e9 + float64(a.IntN(1e6)) + float64(a.IntN(1e6))/1e6
	a.h.Relative, a.deep = a.IntN(3) == 0, a.IntN(4) == 0
	a.add("open")
	for len(a.h.Steps) < stepsOfAHistory {
		a.add(a.event())
	}
	return a.h
}

// choice is one of several, each as often as it stands there.
func choice[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (a *author) event() string {
	if last := a.h.Steps[len(a.h.Steps)-1]; last.Do == "edit" && a.IntN(2) == 0 {
		return "open" // or the next save writes over it
	}
	if a.open == [2]bool{} {
		if a.refused {
			return choice(a.Rand, "edit", "plain")
		}
		return choice(a.Rand, "open", "open", "open", "edit")
	}
	switch n := a.IntN(100); {
	case n < 50:
		return "save"
	case n < 64:
		return "open"
	case n < 70:
		return "init"
	case n < 77:
		return "restore"
	case n < 82:
		return "remove"
	case n < 90:
		return "edit"
	case n < 95:
		return "plain"
	case n < 97 && !a.absolute:
		return "move"
	}
	return "nothing"
}

// add makes up a step.
func (a *author) add(do string) {
	a.value++
	a.clock += a.elapsed()
	a.step += choice(a.Rand, int64(0), 1, 1, 1, 2, 5, -3)
	s := step{Do: do, Slot: a.slot(do), Clock: a.clock, Step: a.step, Parts: []string{}}
	switch do {
	case "open":
		s.Fresh, s.Share, s.Wide = a.IntN(2) == 0, a.IntN(4) == 0, a.IntN(6) == 0
		s.Style, s.Options = a.IntN(3), a.options()
		a.open[s.Slot] = !a.refused && s.Options.valid()
	case "save":
		s.Value, a.refused = a.value, false
		s.Force, s.Tensor, s.Broken = a.IntN(4) == 0, a.IntN(2) == 0, a.IntN(20) == 0
		if a.IntN(4) == 0 {
			n := int64(a.IntN(12))
			s.Number = &n
		}
	case "plain":
		s.Value, s.Name, a.refused = a.value, a.name(), false
	case "restore":
		s.Pick = a.IntN(10)
	case "remove":
		s.Pick = a.IntN(10)
		s.Parts = choice(a.Rand, []string{".index"}, []string{data}, []string{".index", data})
	case "edit":
		s.How = a.edit()
		a.refused = s.How == "empty" || s.How == "no latest" || s.How == "not utf-8"
	case "move":
		s.Copy, a.open = a.IntN(2) == 0, [2]bool{}
	}
	a.h.Steps = append(a.h.Steps, s)
}

const data = ".data-00000-of-00001"

// slot chooses one of the two, for what needs a manager one that has one.
func (a *author) slot(do string) int {
	i := choice(a.Rand, 0, 0, 0, 1)
	if do != "open" && !a.open[i] {
		return 1 - i
	}
	return i
}

// elapsed is the time between two steps; clocks do go back. Exact hours are
// there for the rule that preserves a checkpoint every so many of them.
func (a *author) elapsed() float64 {
	switch n := a.IntN(20); {
	case n < 4:
		return 0
	case n < 9:
		return choice(a.Rand, 0.25, 1, 45, 60)
	case n < 15:
		return choice(a.Rand, 360.0, 900, 1200, 1800, 3600, 7200)
	case n < 18:
		return a.Float64() * 5000
	}
	return -choice(a.Rand, 0.5, 1, 60, 3600, 100000)
}

// valid reports whether a manager takes them.
func (o options) valid() bool {
	return (o.Keep == nil || *o.Keep > 0) && (o.Interval == nil || o.Counter)
}

func (a *author) options() options {
	o := options{Name: a.name(), Init: a.IntN(2) == 0, Counter: a.IntN(2) == 0}
	if keep := choice(a.Rand, 1, 1, 2, 2, 2, 3, 3, 5, 0); keep > 0 {
		o.Keep = &keep
	}
	// Whole seconds: TensorFlow computes with doubles.
	if hours := choice(a.Rand, -1, -1, 0, 0.0125, 0.1, 0.25, 1.0/3, 0.5, 1, 2); hours >= 0 {
		o.Hours = &hours
	}
	if a.IntN(3) == 0 {
		interval := choice(a.Rand, int64(1), 2, 3, 10)
		o.Interval, o.Counter = &interval, a.IntN(20) > 0
		if a.IntN(3) == 0 {
			last := a.step + int64(a.IntN(5)) - 2
			o.Last = &last
		}
	}
	if a.IntN(40) == 0 {
		negative := -1
		o.Keep = &negative
	}
	return o
}

func (a *author) name() string {
	if a.deep && a.IntN(3) == 0 {
		return "sub/ckpt"
	}
	return choice(a.Rand, "ckpt", "ckpt", "ckpt", "ckpt", "model.ckpt", "ckpt-1")
}

// edit is what somebody does to the state file. Absolute paths only where
// TensorFlow gets them right: below a relative directory it writes "../ckpt-1"
// for them, and removes that later. Of an absolute path we take the last
// element.
func (a *author) edit() string {
	how := choice(a.Rand, "removed", "empty", "garbage", "torn", "not utf-8", "no latest", "no times", "fewer times",
		"more times", "a path twice", "fewer paths", "no preserved", "preserved now", "preserved later", "absolute")
	if how != "absolute" {
		return how
	}
	if a.h.Relative || a.deep {
		return "no times"
	}
	a.absolute = true
	return how
}
