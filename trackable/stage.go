package trackable

import (
	"sync"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/tensor"
)

// streamVerifier is a Source that can verify a tensor without holding it.
type streamVerifier interface{ Verify(name string) error }

// verify reads every tensor, so that a wrong checksum shows before anything is
// applied, and keeps what fits under the limit. What a restore in place reads to
// where it belongs is left to that.
func (p *pass) verify() error {
	var tasks []*task
	for _, t := range p.fileOrder(p.tasks) {
		if p.r.inPlace && p.destination(t) != nil {
			continue
		}
		tasks = append(tasks, t)
	}
	if err := p.newStage(tasks).readAll(); err != nil {
		return err
	}
	not := refused{p: p}
	for _, t := range p.tasks {
		if t.refusal != nil {
			not.add(t, t.refusal)
		}
	}
	return not.settle()
}

// stage is what is held between verifying and applying.
type stage struct {
	p     *pass
	tasks []*task // in file order
	fits  []bool
	left  atomic.Int64
	paces paces

	several severalReader // nil: the source reads one at a time
	large   sync.Mutex    // held by who reads what does not fit, and cannot be verified as a stream
}

// newStage decides which tasks are held by what the file says of their size, so
// that it does not depend on who reads first.
func (p *pass) newStage(tasks []*task) *stage {
	s := &stage{p: p, tasks: tasks, fits: make([]bool, len(tasks))}
	left := p.r.stageLimit
	for i, t := range tasks {
		if n := t.size(); n <= left {
			s.fits[i] = true
			left -= n
		}
	}
	s.left.Store(left)
	s.several, _ = p.r.src.(severalReader)
	return s
}

func (s *stage) readAll() error {
	all := batches(s.tasks, s.joins)
	return inOrder(len(all), func(i int) error { return s.readBatch(all[i]) })
}

// read verifies one task, and holds it if it fits and that takes no longer than
// to read it to where it belongs when all is verified.
func (s *stage) read(i int) error {
	t := s.tasks[i]
	size := t.size()
	v, streams := s.p.r.src.(streamVerifier)
	if s.fits[i] && (!streams || s.paces.holds(size) || s.p.destination(t) == nil) {
		return s.paces.holding.measure(size, func() error { return s.hold(t) })
	}
	leaf, _ := t.object.(leafNode)
	if streams && !leaf.narrow() && t.cast == nil {
		return s.paces.verifying.measure(size, func() error { return verifyEach(v, t) })
	}
	s.large.Lock()
	defer s.large.Unlock()
	_, err := s.p.load(t)
	return err
}

// hold keeps what a task reads. Strings may turn out to take more than was
// set aside for them.
func (s *stage) hold(t *task) error {
	tensors, err := s.p.load(t)
	if err != nil || t.refusal != nil {
		return err
	}
	more := heldBytes(tensors) - t.size()
	if more <= 0 || s.left.Add(-more) >= 0 {
		t.held = tensors
		return nil
	}
	s.left.Add(t.size() + more)
	return nil
}

// load reads the tensors of a task and makes of them what its object takes. If
// that will not do the task has a refusal.
func (p *pass) load(t *task) (map[string]tensor.Tensor, error) {
	tensors, err := p.read(t)
	if err != nil {
		return nil, err
	}
	t.judge(tensors)
	return tensors, nil
}

func (t *task) judge(tensors map[string]tensor.Tensor) {
	leaf, _ := t.object.(leafNode)
	if t.refusal = t.convert(tensors); t.refusal == nil {
		t.refusal = leaf.checkValues(tensors)
	}
}

func verifyEach(v streamVerifier, t *task) error {
	for _, s := range t.stored {
		if err := v.Verify(s.key); err != nil {
			return err
		}
	}
	return nil
}

// read reads all tensors of a task; one that has several names, once.
func (p *pass) read(t *task) (map[string]tensor.Tensor, error) {
	tensors := make(map[string]tensor.Tensor, len(t.stored))
	byKey := make(map[string]tensor.Tensor)
	for _, s := range t.stored {
		v, ok := byKey[s.key]
		if !ok {
			var err error
			if v, err = p.r.src.Tensor(s.key); err != nil {
				return nil, err
			}
			byKey[s.key] = v
		}
		tensors[s.name] = v
	}
	return tensors, nil
}

// intoReader is a Source that can read a tensor into memory that is there.
type intoReader interface {
	ReadInto(name string, dst []byte) error
}

// destined is an object of ours whose only tensor has its memory already, in
// the bytes that a file has; nil otherwise.
type destined interface{ destination(Object) []byte }

// destination returns the memory that a task's only tensor can be read to, nil
// if there is none: fresh memory for what is large costs more than the copy.
func (p *pass) destination(t *task) []byte {
	o, has := t.object.(destined)
	if !has || t.cast != nil || len(t.stored) != 1 || t.stored[0].info.DType == tensor.Bool {
		return nil
	}
	if _, ok := p.r.src.(intoReader); !ok && t.held == nil {
		return nil
	}
	return o.destination(t.object)
}

// size is what the file says a task's tensors take; of strings, at least.
func (t *task) size() int64 {
	var sum int64
	for _, s := range t.stored {
		n, err := s.info.Shape.NumElements()
		size := int64(max(s.info.DType.Size(), 1))
		if err != nil || n > (1<<62)/size || sum+n*size < sum {
			return 1 << 62
		}
		sum += n * size
	}
	return sum
}

// stringHeader is what a string takes besides its bytes.
const stringHeader = 16

func heldBytes(tensors map[string]tensor.Tensor) int64 {
	var sum int64
	for _, t := range tensors {
		sum += t.NumBytes()
		if t.DType().Size() == 0 {
			sum += t.NumElements() * stringHeader
		}
	}
	return sum
}
