package trackable_test

import (
	"hash/crc32"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// paced is a Source of large tensors that takes long to return one, or to verify
// one.
type paced struct {
	*verifying
	slowTensor bool
}

func (p *paced) Tensor(name string) (tensor.Tensor, error) {
	p.work(name, p.slowTensor)
	return p.verifying.Tensor(name)
}

func (p *paced) Verify(name string) error {
	p.work(name, !p.slowTensor)
	return p.verifying.Verify(name)
}

func (p *paced) work(name string, slow bool) {
	for i := 0; slow && i < 200; i++ {
		crc32.ChecksumIEEE(p.tensors[name].Bytes())
	}
}

func TestLargeTensorsAreReadTwiceWhereHoldingThemTakesLonger(t *testing.T) {
	large := func(first float32) *trackable.Node {
		root := new(trackable.Node)
		for i := range 60 {
			v := make([]float32, 1<<18)
			v[0] = first
			root.Track(rowKey(i), trackable.NewVariable("", tensor.Shape{1 << 18}, v))
		}
		return root
	}
	stored := saved(t, large(1))
	for _, slowTensor := range []bool{false, true} {
		src := &paced{&verifying{memory: stored}, slowTensor}
		root := large(0)
		restored(t, root, src, nil)
		if twice := len(src.into); slowTensor != (twice > 28) {
			t.Errorf("slow to hold: %v, %d of 60 tensors were read twice", slowTensor, twice)
		}
		for _, c := range root.TrackableChildren() {
			if v := c.Object.(*trackable.Variable[float32]); v.Value[0] != 1 {
				t.Fatalf("%s = %v, want 1", c.Name, v.Value[0])
			}
		}
	}
}
