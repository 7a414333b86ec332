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
// Latest still lists is not yet Every's business. A longer example: the latest
// five, the best three, and one of each of the last seven days, as long as all
// of that fits into a tebibyte:
//
//	All(Any(Latest(5), Best(3, Lowest("val_loss")), Daily(7, time.Local)), MaxBytes(1<<40))
//
// # Floors
//
// Some checkpoints no rule and no combination of rules takes away, when asked
// through Judge: the newest, the newest that is verified, what is pinned, what
// somebody holds a lease on, and the best by each Best rule.
//
// What is rejected is of no use to a restore. So it is no floor but as the
// newest, and takes no other's place: among the latest, the best, or for a
// period or a range of steps.
//
// # Clocks
//
// A list is in the order of saving, and that is what counts; its times are
// those of a clock that somebody may have set. A clock that was set back never
// makes a rule remove what it would have kept had the clock been right; see
// Within and Daily.
package retention

import "time"

// Checkpoint is what a policy knows about one checkpoint.
type Checkpoint struct {
	Path     string
	Step     *int64       // nil: not told
	Epoch    *int64       // nil: not told
	Time     time.Time    // when its write was done
	Size     int64        // of all its files, in bytes; 0 where nobody knows
	Shared   []SharedFile // those of them that others may have, too
	Metrics  map[string]float64
	Tags     []string // what people call it
	Pinned   string   // why no rule may remove it; "": one may
	Leased   string   // who is reading it; "": nobody
	Verified bool     // its files are known to be whole
	Rejected string   // why it is not to be restored; "": it may be
}

// Fate is what becomes of a checkpoint.
type Fate int

// The fates, the weakest first.
const (
	Remove   Fate = iota // its files are deleted
	Retain               // stays on disk, unlisted, and is judged again next time
	Preserve             // stays on disk for good, leaves the list
	Keep                 // stays in the list, where a TensorFlow manager may remove it
)

// String returns "remove", "retain", "preserve" or "keep".
func (f Fate) String() string {
	switch f {
	case Remove:
		return "remove"
	case Retain:
		return "retain"
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
	Floor  bool // no combination of policies takes it away
	Failed bool // the policy has failed, Reason says how, and Judge lets all stay
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

// each is a policy that judges one checkpoint after the other, from the newest
// to the oldest: most rules count from there.
func each(rule func() func(list []Checkpoint, i int) Verdict) Policy {
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		verdicts := make([]Verdict, len(list))
		judge := rule()
		for i := len(list) - 1; i >= 0; i-- {
			verdicts[i] = judge(list, i)
		}
		return verdicts
	})
}

func retain(reason string) Verdict { return Verdict{Fate: Retain, Reason: reason} }
func remove(reason string) Verdict { return Verdict{Fate: Remove, Reason: reason} }
