package peer

import (
	"fmt"
	"math/rand/v2"
)

// Data is what a process saves: tensors of float32.
type Data struct {
	Values [][]float32
	first  []float32 // of each of Values, before it was spoiled
}

// Make fills n tensors of the given number of elements with numbers that do not
// compress, always the same.
func Make(n, elements int) *Data {
	d, random := &Data{}, rand.NewPCG(1, 2)
	for range n {
		v := make([]float32, elements)
		for i := range v {
			v[i] = float32(random.Uint64()>>40)/(1<<23) - 1
		}
		d.Values = append(d.Values, v)
		d.first = append(d.first, v[0])
	}
	return d
}

// Spoil makes every tensor differ from what it was, by one element.
func (d *Data) Spoil() {
	for _, v := range d.Values {
		v[0] = -7
	}
}

// Check compares every tensor's first element with what it was.
func (d *Data) Check(loaded [][]float32) error {
	if len(loaded) != len(d.first) {
		return fmt.Errorf("%d tensors, want %d", len(loaded), len(d.first))
	}
	for i, v := range loaded {
		if len(v) != len(d.Values[i]) || v[0] != d.first[i] {
			return fmt.Errorf("tensor %d is not what was saved", i)
		}
	}
	return nil
}
