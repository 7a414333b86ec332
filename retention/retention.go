// Package retention decides which checkpoints stay, and says why.
//
// A Policy is a pure function: it reads no clock and no disk, so that the
// manager, a dry run of `ckpt prune` and a page that explains "why is this
// still here" come to the same verdicts with the same reasons.
//
// TensorFlow's manager has two rules, max_to_keep and
// keep_checkpoint_every_n_hours, and the second is asked only about what the
// first would remove. Here that is
//
//	Any(Latest(maxToKeep), Every(interval, lastPreserved))
//
// because in Any a Keep wins over a Preserve, which wins over a Remove: what
// Latest still lists is not yet Every's business.
package retention

import "time"

// Checkpoint is what a policy knows about one checkpoint.
type Checkpoint struct {
	Path    string
	Step    int64
	Time    time.Time // when its write was done
	Metrics map[string]float64
}

// Fate is what becomes of a checkpoint.
type Fate int

// The fates, the weakest first.
const (
	Remove   Fate = iota // its files are deleted
	Preserve             // stays on disk for good, leaves the list
	Keep                 // stays in the list
)

// String returns "remove", "preserve" or "keep".
func (f Fate) String() string {
	switch f {
	case Remove:
		return "remove"
	case Preserve:
		return "preserve"
	case Keep:
		return "keep"
	}
	return "unknown fate"
}

// Verdict is one checkpoint's fate, with a reason for people to read:
// "latest 2 of 3".
type Verdict struct {
	Fate   Fate
	Reason string
}

// Policy judges a list of checkpoints.
type Policy interface {
	// Judge returns one verdict for each checkpoint of list, which is
	// ordered from the oldest to the newest, in the same order. It does not
	// change list and gives equal verdicts for equal lists.
	Judge(list []Checkpoint) []Verdict
}

// PolicyFunc is a function as a Policy.
type PolicyFunc func(list []Checkpoint) []Verdict

// Judge calls f.
func (f PolicyFunc) Judge(list []Checkpoint) []Verdict { return f(list) }
