package trackable

import (
	"slices"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/format"
)

// RestoreOptions are the parts of a restore that are not always needed.
type RestoreOptions struct {
	// Attached are further children of the root that only this checkpoint
	// has; the root's own win. (TensorFlow: Checkpoint(root, **kwargs))
	Attached []Child
	// Optional names children of the root that no assertion asks for, on either
	// side: save_counter, which Save stores and Write does not.
	Optional []string
	// MatchExisting refuses a checkpoint, before anything is changed, in which
	// AssertExistingObjectsMatched would miss a value.
	MatchExisting bool
	// Mode says what becomes of tensors that do not fit. The zero Mode restores
	// nothing if there are any.
	Mode Mode
	// SkipSlotVariables leaves slots alone, and out of the assertions.
	// (TensorFlow: experimental_skip_slot_variables)
	SkipSlotVariables bool
	// StageLimit is how many bytes may be held between verifying and
	// applying. Tensors beyond it, and large ones where that turns out to be
	// faster than to hold them, are read twice: first to verify them, which
	// holds one at a time, or a piece of it if src has a method
	// Verify(name string) error; then, with ReadInto(name string, dst []byte)
	// error, straight into place. 0 means 1 GiB.
	StageLimit int64
	// InPlace reads tensors once, straight into variables and Go values that have
	// their memory, and verifies them there; it needs a src with ReadInto. That
	// is the fastest and takes no memory, but damage shows when values are
	// overwritten already: the error is then an *OverwrittenError. Names, dtypes
	// and shapes are still checked before, and all that is not read in place is
	// verified before.
	InPlace bool
}

const defaultStageLimit = 1 << 30

// lastUID numbers the restores of the process, so that of two that waited for
// one object the later wins. (TensorFlow: ops.uid in checkpoint/checkpoint.py)
var lastUID atomic.Int64

// Restore matches the graph in src with the one that root leads to, edge by
// edge, and copies the stored tensors into the objects that match. Nothing is
// changed before every tensor of theirs is read, its checksum verified, and
// its dtype and shape agreed to; all that do not fit are told in one
// *MismatchError.
//
// After that only two things can stop it half way: an object of the caller's that
// is no Checker and refuses its tensors (those come first, the error says after
// how many; a State that refuses takes the others back), and, beyond StageLimit, a
// file that fails when it is read the second time (an *OverwrittenError).
//
// Tensors are read several at a time, in file order; methods of objects are called
// one at a time.
//
// What is stored for objects that do not exist yet waits in the Node that
// would be their parent, with src, for Node.Track. What is stored and waits
// nowhere, and what is here and not stored, is no error: ask the LoadStatus.
// (TensorFlow: Checkpoint.restore)
func Restore(root Object, src format.Source, o *RestoreOptions) (*LoadStatus, error) {
	if o == nil {
		o = new(RestoreOptions)
	}
	g, err := ReadGraph(src)
	if err != nil {
		return nil, err
	}
	r := newRestoration(src, g, o)
	r.uid = lastUID.Add(1)
	return r.newPass(nil).runFirst(root, o)
}

// restoration is one call of Restore, and what still waits of it.
type restoration struct {
	uid        int64
	src        format.Source
	graph      *Graph
	stageLimit int64
	inPlace    bool
	skipSlots  bool
	mode       Mode
	optional   map[string]bool

	memory    *memory
	bound     []Object        // by node; nil: no object matches yet
	slots     []slotRef       // all of the graph's, unless they are skipped
	slotsOf   map[int][]int   // indices into slots, by variable
	lateSlots map[int][]int   // and by owner: of variables visited before it was bound
	unused    []unusedTensor  // stored for an object that does not take them
	unstored  []int           // bound nodes whose tensors are not in the file
	restored  map[Object]bool // what got the tensors of a node
	skipped   MismatchError   // what mode SkipMismatched left alone
	skippedAt []int           // the nodes of those
	converted MismatchError   // what mode Cast converted
	conflicts conflicts
	errs      []error // of passes after the first
}

// slotRef is a StoredSlot with its owner.
type slotRef struct {
	owner int
	StoredSlot
}

type unusedTensor struct {
	node int
	name string
}

func newRestoration(src format.Source, g *Graph, o *RestoreOptions) *restoration {
	r := &restoration{
		src: src, graph: g, skipSlots: o.SkipSlotVariables, stageLimit: o.StageLimit, inPlace: o.InPlace, mode: o.Mode,
		restored:  make(map[Object]bool),
		bound:     make([]Object, len(g.Nodes)),
		optional:  make(map[string]bool),
		slotsOf:   make(map[int][]int),
		lateSlots: make(map[int][]int),
	}
	if r.stageLimit == 0 {
		r.stageLimit = defaultStageLimit
	}
	for _, name := range o.Optional {
		r.optional[name] = true
	}
	if !r.skipSlots {
		r.listSlots()
	}
	return r
}

func (r *restoration) listSlots() {
	for owner, n := range r.graph.Nodes {
		for _, s := range n.Slots {
			r.slotsOf[s.Variable] = append(r.slotsOf[s.Variable], len(r.slots))
			r.slots = append(r.slots, slotRef{owner, s})
		}
	}
}

// unbind takes back what a pass bound, and the slots that came to wait with it.
func (r *restoration) unbind(nodes []int) {
	for _, id := range nodes {
		r.bound[id] = nil
	}
	for owner, late := range r.lateSlots {
		r.lateSlots[owner] = slices.DeleteFunc(late, func(i int) bool { return r.bound[r.slots[i].Variable] == nil })
	}
}

// isOptional reports whether a node is a child of the root that no assertion
// asks for.
func (r *restoration) isOptional(id int) bool {
	at := r.graph.routes[id]
	return at.parent == 0 && at.owner == noOwner && r.optional[at.name]
}

// conflicts counts the nodes that two objects claimed, and keeps the first
// few: a hostile graph has millions.
type conflicts struct {
	n     int
	first []string
}

const maxListed = 10

func (c *conflicts) add(line func() string) {
	if c.n++; c.n <= maxListed {
		c.first = append(c.first, line())
	}
}
