package cli

import "github.com/ckpt-dev/ckpt/tensor"

// nest goes through the elements of an array in row-major order and says
// where brackets open and close, so that arrays print as they are read, piece
// by piece.
type nest struct {
	shape tensor.Shape
	index []int64
	begun bool
}

func newNest(shape tensor.Shape) *nest {
	return &nest{shape: shape, index: make([]int64, len(shape))}
}

// next moves to the next element. turned is how many brackets close before it
// and open again: 0 within a row. For the first element all of them open.
func (n *nest) next() (first bool, turned int) {
	if !n.begun {
		n.begun = true
		return true, 0
	}
	for i := len(n.index) - 1; i >= 0; i-- {
		n.index[i]++
		if n.index[i] < n.shape[i] {
			return false, turned
		}
		n.index[i] = 0
		turned++
	}
	return false, turned
}

// moved returns which dimension went on by one in the last step, and to where.
func (n *nest) moved(turned int) (dim int, to int64) {
	dim = len(n.index) - 1 - turned
	return dim, n.index[dim]
}
