package publish

import (
	"hash/maphash"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Lineage is what a Checkpoint remembers of the last save that it has
// published, in memory only: with it the next save links the data files that
// hold what has not changed since, instead of writing that again.
type Lineage struct {
	Rules
	seeds [2]maphash.Seed

	mu     sync.Mutex
	last   *base // nil: nothing to go by
	doubts int
}

// NewLineage returns one that remembers nothing yet. At most so many
// checkpoints share a file; 0: any number.
func NewLineage(rewrite int) *Lineage {
	l := &Lineage{Rules: Rules{Rewrite: rewrite, Tensor: 64 << 10, File: 1 << 20}}
	for i := range l.seeds {
		l.seeds[i] = maphash.MakeSeed()
	}
	return l
}

// Doubt says that the objects may have other values than the program itself
// has given them: what it promised about them does not hold for the next save.
func (l *Lineage) Doubt() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubts++
}

// Distrust says that the files of the last save, or of one before, are not what was
// written: a bad sector is not handed on. The next save writes everything.
func (l *Lineage) Distrust() { l.remember(nil) }

// base is a published save as the next one needs to know it. It never changes.
type base struct {
	dir     storage.Dir
	path    string
	doubts  int              // there were when its tensors were looked at
	files   []baseFile       // by shard
	tensors map[string]known // by key
}

// baseFile is a data file of a base.
type baseFile struct {
	info   storage.Info // as it was listed after the save
	crc    uint32
	origin string        // the last element of the name it was first written under
	uses   *atomic.Int64 // how many checkpoints were made with it, of all bases that have it
	parity *baseParity   // nil: it has none
}

type baseParity struct {
	info storage.Info
	told shelf.File
}

// known is a tensor that a base has.
type known struct {
	entry tensorbundle.Entry
	sum   content // nil: nobody knows
}

// look returns the base to go by in dir, nil if there is none, and how many
// doubts there are: with more than the base's, no promise holds.
func (l *Lineage) look(dir storage.Dir) (b *base, doubts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || !l.last.isIn(dir) {
		return nil, l.doubts
	}
	return l.last, l.doubts
}

// remember replaces the base; nil: by none.
func (l *Lineage) remember(b *base) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = b
}

// isIn reports whether the base's names mean its files in dir: where the place
// tells one file from another, that is looked at later, whatever the Dir is.
func (b *base) isIn(dir storage.Dir) bool {
	told := !slices.ContainsFunc(b.files, func(f baseFile) bool { return f.info.ID == storage.FileID{} })
	return told || sameDir(b.dir, dir)
}

// sameDir reports whether two Dirs are one value. Some cannot be compared.
func sameDir(a, b storage.Dir) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// keyOf tells a tensor, or a slice of one, from all others of a save. A slice
// that is all there is counts as whole, as tensorbundle has it.
func keyOf(t format.Named) string {
	if t.Slice == nil {
		return t.Name
	}
	if r, err := t.Slice.Resolve(t.Full); err == nil && r.Shape().Equal(t.Full) {
		return t.Name
	}
	return sliceKey(t.Name, t.Slice)
}

func keyOfEntry(e tensorbundle.Entry) string {
	if e.Slice == nil {
		return e.Name
	}
	return sliceKey(e.Name, e.Slice)
}

func sliceKey(name string, s *tensor.Slice) string { return name + "\x00" + s.String() }

// isLike reports whether t is of the dtype and shape that was written.
func (k known) isLike(t format.Named) bool {
	e := k.entry
	return e.DType == t.Tensor.DType() && e.Shape.Equal(t.Tensor.Shape()) && (e.Slice == nil || e.Full.Equal(t.Full))
}
