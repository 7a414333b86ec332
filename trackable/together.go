package trackable

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// severalReader is a Source that reads tensors together that lie side by side in
// its file. Of several that fail its error is that of the first.
type severalReader interface {
	Tensors(names []string) ([]tensor.Tensor, error)
	ReadAllInto(names []string, dst [][]byte) error
	VerifyAll(names []string) error
}

const (
	batchLeast = 2 << 20  // bytes that are enough to read together: a disk is as fast as it can be
	batchMost  = 16 << 20 // more than that several readers share
)

// batch are the tasks from first to before next, which one reader reads together.
type batch struct{ first, next int }

// batches splits tasks, in file order, into batches. joins reports whether task i can be
// read together with the one before it.
func batches(tasks []*task, joins func(i int) bool) []batch {
	var all []batch
	var size int64
	for i, t := range tasks {
		n := t.size()
		if i == 0 || size >= batchLeast || n > batchMost-size || !joins(i) {
			all, size = append(all, batch{i, i}), 0
		}
		all[len(all)-1].next++
		size += n
	}
	return all
}

// isPlain reports whether a task has but one tensor, of elements of a fixed size
// that the object takes as they are in the file.
func (t *task) isPlain() bool {
	leaf, _ := t.object.(leafNode)
	return len(t.stored) == 1 && t.cast == nil && !leaf.narrow() && t.stored[0].info.DType.Size() > 0
}

// joins reports whether the stage's task i is read as the one before it is.
func (s *stage) joins(i int) bool {
	a, b := s.tasks[i-1], s.tasks[i]
	return s.several != nil && a.isPlain() && b.isPlain() && s.fits[i-1] == s.fits[i] &&
		(s.p.destination(a) == nil) == (s.p.destination(b) == nil)
}

// readBatch is read for a batch.
func (s *stage) readBatch(b batch) error {
	tasks := s.tasks[b.first:b.next]
	if len(tasks) == 1 {
		return s.read(b.first)
	}
	var size int64
	for _, t := range tasks {
		size += t.size()
	}
	if s.fits[b.first] && (s.paces.holds(size) || s.p.destination(tasks[0]) == nil) {
		return s.paces.holding.measure(size, func() error { return s.holdAll(tasks) })
	}
	return s.paces.verifying.measure(size, func() error { return s.several.VerifyAll(keysOf(tasks)) })
}

func (s *stage) holdAll(tasks []*task) error {
	all, err := s.several.Tensors(keysOf(tasks))
	if err != nil {
		return err
	}
	for i, t := range tasks {
		tensors := map[string]tensor.Tensor{t.stored[0].name: all[i]}
		if t.judge(tensors); t.refusal == nil {
			t.held = tensors
		}
	}
	return nil
}

// fillAll is fill for the tasks of a batch.
func (p *pass) fillAll(tasks []*task, places [][]byte) error {
	if len(tasks) == 1 {
		return p.pathed(tasks[0], p.fill(tasks[0], places[0]))
	}
	err := p.r.src.(severalReader).ReadAllInto(keysOf(tasks), places)
	var damage *format.CorruptError
	if errors.As(err, &damage) {
		for _, t := range tasks {
			if t.stored[0].key == damage.Tensor {
				return p.pathed(t, err)
			}
		}
	}
	return err // it names the tensor, if not the object
}

// joinsInPlace reports whether neither of two tasks has been read.
func (p *pass) joinsInPlace(a, b *task) bool {
	_, ok := p.r.src.(severalReader)
	return ok && a.held == nil && b.held == nil && a.isPlain() && b.isPlain()
}

func (p *pass) pathed(t *task, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.r.graph.Path(t.node), err)
}
