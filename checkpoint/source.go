package checkpoint

import (
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// source returns what trackable restores from.
func (r *Reader) source() format.Source {
	if r.v2 != nil {
		return sourceV2{source{r}}
	}
	return source{r}
}

// source lets trackable verify a tensor without holding it, for which Reader's
// own Verify is another method.
type source struct{ *Reader }

// Verify reads a tensor and verifies its checksum.
func (s source) Verify(name string) error { return s.named(s.bundle.Verify(name)) }

// sourceV2 lets trackable read tensors together that lie side by side.
type sourceV2 struct{ source }

func (s sourceV2) Tensors(names []string) ([]tensor.Tensor, error) {
	all, err := s.v2.Tensors(names)
	return all, s.named(err)
}

func (s sourceV2) ReadAllInto(names []string, dst [][]byte) error {
	return s.named(s.v2.ReadAllInto(names, dst))
}

func (s sourceV2) VerifyAll(names []string) error { return s.named(s.v2.VerifyAll(names)) }
