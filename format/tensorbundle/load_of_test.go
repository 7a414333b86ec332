package tensorbundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

// openOf opens a bundle for some of its tensors.
func (b bundle) openOf(names ...string) (*tensorbundle.Reader, error) {
	return tensorbundle.NewReaderOf(bytes.NewReader(b.index), int64(len(b.index)), b.file, names...)
}

func TestEachTensorAloneIsAsAmongAll(t *testing.T) {
	for _, name := range goldenNames(t) {
		b := load(t, name)
		r, err := b.open()
		if err != nil {
			continue
		}
		for _, n := range r.Names() {
			alone, err := b.openOf(n, "not there", "")
			if err != nil {
				t.Fatalf("%s: NewReaderOf(%s) = %v", name, n, err)
			}
			if got := alone.Names(); !reflect.DeepEqual(got, []string{n}) {
				t.Errorf("%s: NewReaderOf(%s).Names() = %q", name, n, got)
			}
			want, err1 := r.Entry(n)
			got, err2 := alone.Entry(n)
			wantParts, err3 := r.Slices(n)
			gotParts, err4 := alone.Slices(n)
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotParts, wantParts) || errors.Join(err1, err2, err3, err4) != nil {
				t.Errorf("%s: Entry(%s) alone = %+v in %+v, want %+v in %+v", name, n, got, gotParts, want, wantParts)
			}
			x, err1 := r.Tensor(n)
			y, err2 := alone.Tensor(n)
			if fmt.Sprint(err1) != fmt.Sprint(err2) || err1 == nil && !x.Equal(y) {
				t.Errorf("%s: Tensor(%s) alone = %v, %v, want %v, %v", name, n, y, err2, x, err1)
			}
		}
	}
}

// TestASliceAloneIsNoTensor: its key is not its name, whoever asks for it.
func TestASliceAloneIsNoTensor(t *testing.T) {
	b, key := load(t, "slices"), "\x00emb\x00\x01\x01\x02\x80\x85\x80\x7f"
	r, err := b.openOf(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Tensor(key); !errors.Is(err, format.ErrNoTensor) {
		t.Errorf("Tensor(%q) = %v, want ErrNoTensor", key, err)
	}
}

// TestATensorOfManySlicesIsReadAloneToo, by way of the whole index.
func TestATensorOfManySlicesIsReadAloneToo(t *testing.T) {
	var parts []format.Named
	for i := range int64(40) {
		s := tensor.Slice{Start: []int64{i}, Length: []int64{1}}
		parts = append(parts, format.Named{Name: "w", Tensor: f32(t, tensor.Shape{1}, float32(i)), Slice: &s, Full: tensor.Shape{40}})
	}
	r, err := write(t, parts).openOf("w")
	if err != nil {
		t.Fatal(err)
	}
	if x, err := r.Tensor("w"); err != nil || x.Shape()[0] != 40 {
		t.Errorf("Tensor(w) = %v, %v, want 40 elements", x, err)
	}
}

// TestDamageIsFoundWhereItIsLookedFor: in the block of the tensor, in the
// header's, in what leads there; and what is found is never another value.
func TestDamageIsFoundWhereItIsLookedFor(t *testing.T) {
	v := victim(t)
	whole := v.mustOpen(t)
	name := whole.Names()[0]
	want, err := whole.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := range v.index {
		bad := bundle{bytes.Clone(v.index), v.data}
		bad.index[at] ^= 0x10
		r, err := bad.openOf(name)
		if err == nil {
			var x tensor.Tensor
			if x, err = r.Tensor(name); err == nil && !x.Equal(want) {
				t.Errorf("with byte %d damaged, Tensor(%s) = %v, want %v or an error", at, name, x, want)
			}
		}
		if err == nil || !known(err) {
			t.Errorf("with byte %d of an index of one block damaged, the error is %v", at, err)
		}
	}
}
