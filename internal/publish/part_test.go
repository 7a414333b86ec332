package publish

import (
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
)

func TestPartsThatLieInARowAreNotCopied(t *testing.T) {
	values := make([]float32, 4*2*3)
	for i := range values {
		values[i] = float32(i)
	}
	v, err := tensor.New(tensor.Shape{4, 2, 3}, values)
	if err != nil {
		t.Fatal(err)
	}
	for part, copied := range map[string]bool{"1,2:0,2:0,3": false, "2,1:1,1:0,3": false, "2,1:1,1:1,2": false, "0,2:0,1:0,3": true} {
		region, err := tensor.ParseSlice(part)
		if err != nil {
			t.Fatal(err)
		}
		got, err := partOf(format.Named{Name: "v", Tensor: v}, sharding.Part{Slice: &region, Full: v.Shape()})
		if err != nil {
			t.Fatal(err)
		}
		want, err := v.Slice(region)
		if err != nil || !got.Tensor.Equal(want) {
			t.Errorf("partOf(%s) is wrong (%v)", part, err)
		}
		at := ((region.Start[0]*2+region.Start[1])*3 + region.Start[2]) * 4
		if shares := &got.Tensor.Bytes()[0] == &v.Bytes()[at]; shares == copied {
			t.Errorf("partOf(%s): copied is %v, want %v", part, !shares, copied)
		}
	}
}
