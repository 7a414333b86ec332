// Package doctor finds out what is wrong with a directory of checkpoints, says
// why it thinks so, and mends what can be mended without losing anything.
//
// Examine only reads. It looks at the state file, at every checkpoint and its
// receipt, at overwrites and removals that were interrupted, at leases and at
// what is left over, and returns findings. Fix, which takes the writer's lock,
// mends those that are fixable, in an order in which a crash between any two
// operations leaves nothing worse than it was.
//
// It never removes what could be restored, nor what it cannot prove to be ours,
// nor anything young: somebody may be writing it. Files that it does not know
// it names. A file counts as missing only if a listing that succeeded does not
// have it, and as damaged only if a second reading agrees; one that cannot be
// read is neither, and nothing that its contents might forbid is mended then.
//
// TensorFlow has nothing like it.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
)

// Options change an examination. Nil and zero values are the defaults.
type Options struct {
	// Deep reads every data file and verifies every checksum. Without it
	// sizes, indexes and receipts are checked, and all of a checkpoint only
	// where these do not agree.
	Deep bool
	// Now is the clock by which Examine tells what is old enough to be left
	// over. Fix asks the storage for its own. Default: time.Now.
	Now func() time.Time
	// Reading is told of the bytes of checkpoints as they are read, of which,
	// and how many. Several goroutines may call it.
	Reading func(checkpoint string, n int)

	pauses []time.Duration // between looks
}

// Report is what an examination has found.
type Report struct {
	Findings    []Finding
	Deep        bool     // all data was read
	Checkpoints int      // how many there are, whole or not
	Valid       int      // those that passed what was looked at: see Deep
	Newest      string   // the newest of these, "" if there is none
	Unknown     []string // files of which nothing is known, sorted; they are left alone
	Mended      []Finding
	// Unlocked is of Fix's: the place has no locks, and nothing has kept a
	// training from writing meanwhile.
	Unlocked bool

	dir storage.Dir
	o   Options
}

// Finding is one thing that is wrong, or worth knowing.
type Finding struct {
	Kind     Kind
	Severity Severity
	Path     string   // of the checkpoint that it is about, "" if of none
	Files    []string // what it is about, sorted
	What     string   // what is wrong
	Why      string   // what was seen that says so
	Fix      string   // what Fix does, or what a person can do
	// Fixable reports whether Fix mends it. What OnRequest is true of may be
	// so on purpose, and is mended only if it is asked for.
	Fixable, OnRequest bool
	Err                error // what a reader of the damaged file is told; nil where there is none

	step     step
	mend     func(context.Context) error
	lockless bool // mend takes the locks itself
}

// Kind says what sort of finding it is. Kinds do not change their meaning.
type Kind string

// The kinds of findings.
const (
	StateBroken     Kind = "state-broken"     // the state file cannot be understood
	StateMissing    Kind = "state-missing"    // there is none beside checkpoints that had one
	StateGone       Kind = "state-gone"       // it names a checkpoint that is not there
	StateBehind     Kind = "state-behind"     // it does not know a newer one: its writer died
	StateNotNewest  Kind = "state-not-newest" // it names a whole one that is not the newest
	StateDamaged    Kind = "state-damaged"    // it names a damaged one
	StateOutside    Kind = "state-outside"    // it names one outside of the directory
	StateEntry      Kind = "state-entry"      // it lists checkpoints that are not there
	Interrupted     Kind = "interrupted"      // an overwrite was
	Incomplete      Kind = "incomplete"       // an index whose data files are not all there
	Damaged         Kind = "damaged"          // a checkpoint that fails verification
	Unsteady        Kind = "unsteady"         // two readings of one file differ
	Unsupported     Kind = "unsupported"      // a checkpoint that this program cannot judge
	Unreadable      Kind = "unreadable"       // a file that is there, and cannot be read
	ParityMissing   Kind = "parity-missing"   // of a checkpoint that is whole
	ParityDamaged   Kind = "parity-damaged"   // the same
	NoneValid       Kind = "none-valid"       // there are checkpoints, and none passes
	PutAside        Kind = "put-aside"        // a broken checkpoint that lies in quarantine
	ReceiptMissing  Kind = "receipt-missing"  // of one that was saved by a manager of ours
	ReceiptBroken   Kind = "receipt-broken"   // it cannot be understood
	ReceiptWrong    Kind = "receipt-wrong"    // it is about another checkpoint than lies there
	HalfRemoved     Kind = "half-removed"     // data files and a receipt of ours, and no index
	IndexLost       Kind = "index-lost"       // the same, of one that nobody has removed
	OrphanedData    Kind = "orphaned-data"    // data files alone: perhaps TensorFlow's
	OrphanedReceipt Kind = "orphaned-receipt" // a receipt alone
	OrphanedParity  Kind = "orphaned-parity"  // parity alone
	ExpiredLease    Kind = "expired-lease"    // its holder died
	Temporary       Kind = "temporary"        // a file that a writer which died has not finished
	TensorFlowTemp  Kind = "tensorflow-temp"  // the same, of TensorFlow's
)

// Severity says how bad a finding is.
type Severity int

// The severities.
const (
	Note    Severity = iota // nothing needs to be done
	Warning                 // it may be so on purpose
	Problem                 // it should be mended
)

func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Warning:
		return "warning"
	}
	return "problem"
}

// Examine looks at dir and changes nothing, not even by a lock. A training may
// be at work there: where anything was written in the last minute, what is found
// has to be there half a second later as well. An error is that dir cannot be listed,
// or one of ctx; of a file that cannot be read there is a finding.
func Examine(ctx context.Context, dir storage.Dir, o *Options) (*Report, error) {
	r := &Report{dir: dir}
	if o != nil {
		r.o, r.Deep = *o, o.Deep
	}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	if r.o.pauses == nil {
		r.o.pauses = pauses
	}
	x := newExaminer(dir, r.o)
	if err := x.steady(ctx); err != nil {
		return nil, fmt.Errorf("examine: %w", err)
	}
	x.report(r)
	return r, nil
}

// Problems returns the findings that should be mended.
func (r *Report) Problems() []Finding {
	return r.those(func(f Finding) bool { return f.Severity == Problem })
}

// Fixable returns the findings that Fix mends without being asked for each.
func (r *Report) Fixable() []Finding {
	return r.those(func(f Finding) bool { return f.Fixable && !f.OnRequest })
}

func (r *Report) those(which func(Finding) bool) []Finding {
	var list []Finding
	for _, f := range r.Findings {
		if which(f) {
			list = append(list, f)
		}
	}
	return list
}
