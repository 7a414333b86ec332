package trackable

import (
	"github.com/ckpt-dev/ckpt/tensor"
)

// streamVerifier is a Source that can verify a tensor without holding it.
type streamVerifier interface{ Verify(name string) error }

// verify reads every tensor, so that a wrong checksum shows before anything is
// applied, and keeps what fits under the limit.
func (p *pass) verify() error {
	left := p.r.stageLimit
	not := refused{p: p}
	for _, t := range p.tasks {
		leaf, _ := t.object.(leafNode)
		if v, ok := p.r.src.(streamVerifier); ok && t.size() > left && !leaf.narrow() && t.cast == nil {
			if err := verifyEach(v, t); err != nil {
				return err
			}
			continue
		}
		tensors, err := p.read(t)
		if err != nil {
			return err
		}
		if err = t.convert(tensors); err == nil {
			err = leaf.checkValues(tensors)
		}
		if err != nil {
			not.add(t, err)
			continue
		}
		if n := heldBytes(tensors); n <= left {
			left -= n
			t.held = tensors
		}
	}
	return not.settle()
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

// readInto restores a task that was verified and not held, if it can be read
// to where it belongs: fresh memory for what is large costs more than the copy.
func (p *pass) readInto(t *task) (done bool, err error) {
	src, ok := p.r.src.(intoReader)
	o, has := t.object.(destined)
	if !ok || !has || t.cast != nil || len(t.stored) != 1 || t.stored[0].info.DType == tensor.Bool {
		return false, nil
	}
	dst := o.destination(t.object)
	if dst == nil {
		return false, nil
	}
	return true, src.ReadInto(t.stored[0].key, dst)
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
