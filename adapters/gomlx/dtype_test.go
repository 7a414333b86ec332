package gomlx_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/adapters/gomlx"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// held are the dtypes that a variable of GoMLX can have.
var held = []dtypes.DType{
	dtypes.Bool, dtypes.Int2, dtypes.Int4, dtypes.Int8, dtypes.Int16, dtypes.Int32, dtypes.Int64,
	dtypes.Uint2, dtypes.Uint4, dtypes.Uint8, dtypes.Uint16, dtypes.Uint32, dtypes.Uint64,
	dtypes.Float16, dtypes.BFloat16, dtypes.Float32, dtypes.Float64, dtypes.Complex64, dtypes.Complex128,
}

// filled returns a tensor of random bits: NaNs and infinities among them.
func filled(t *testing.T, random *rand.Rand, shape shapes.Shape) *tensors.Tensor {
	t.Helper()
	value := tensors.FromShape(shape)
	err := value.MutableBytes(func(data []byte) {
		for i := range data {
			data[i] = byte(random.Uint32())
			if shape.DType == dtypes.Bool {
				data[i] &= 1
			}
		}
		if unused := len(data)*8 - shape.Size()*shape.DType.Bits(); shape.DType.IsPacked() && unused > 0 {
			data[len(data)-1] &= 0xff >> unused
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func bits(t *testing.T, v *model.Variable) []byte {
	t.Helper()
	var b []byte
	if err := v.MustValue().ConstBytes(func(data []byte) { b = bytes.Clone(data) }); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryDTypeAndShapeComesBackBitForBit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	from, into, lazy := model.NewStore(), model.NewStore(), model.NewStore()
	saver, eager, deferred := gomlx.New(from, nil), gomlx.New(into, nil), gomlx.New(lazy, nil)
	var variables []*model.Variable
	for _, d := range held {
		for i, dims := range [][]int{{}, {0}, {7}, {3, 5}, {2, 0, 3}} {
			path := fmt.Sprintf("/%v/%d", d, i)
			shape := shapes.Make(d, dims...)
			v, err := from.CreateVariable(path, filled(t, random, shape))
			if err != nil {
				t.Fatal(err)
			}
			variables = append(variables, v)
			if _, err := into.CreateVariable(path, tensors.FromShape(shape)); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := save(t, saver)
	if err := restore(t, eager, file).AssertConsumed(); err != nil {
		t.Error(err)
	}
	restore(t, deferred, file)
	for _, v := range variables {
		want := bits(t, v)
		for name, store := range map[string]*model.Store{"existing": into, "created later": lazy} {
			got := store.GetVariable(v.Path())
			if got == nil || !got.Shape().Equal(v.Shape()) || !bytes.Equal(bits(t, got), want) {
				t.Errorf("%s, %s = %v, want %v", v.Path(), name, got.MustValue(), v.MustValue())
			}
		}
	}
}

func TestIntegersOfLessThanAByteAreStoredAsTensorFlowStoresThem(t *testing.T) {
	store := model.NewStore()
	value := tensors.FromShape(shapes.Make(dtypes.Int4, 3))
	if err := value.MutableBytes(func(b []byte) { copy(b, []byte{0x2f, 0x08}) }); err != nil { // -1, 2, -8
		t.Fatal(err)
	}
	if _, err := store.CreateVariable("/a", value); err != nil {
		t.Fatal(err)
	}
	got := save(t, gomlx.New(store, nil)).tensors["a"+suffix]
	if got.DType() != tensor.Int4 || !bytes.Equal(got.Bytes(), []byte{0x0f, 0x02, 0x08}) {
		t.Errorf("saved = %v % x, want int4 0f 02 08", got.DType(), got.Bytes())
	}
}

func TestAValueIsSavedWithoutACopy(t *testing.T) {
	store := model.NewStore()
	v := create(t, store, "/a", []float32{1, 2})
	for named, err := range trackable.Save(gomlx.New(store, nil), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if named.Name != "a"+suffix {
			continue
		}
		tensors.MustMutableFlatData(v.MustValue(), func(flat []float32) { flat[1] = 3 })
		if got := named.Tensor.Format(1); got != "3" {
			t.Errorf("element 1 = %s, want the variable's new value 3", got)
		}
	}
}

func TestADTypeThatNoCheckpointHoldsIsAnErrorThatNamesTheVariable(t *testing.T) {
	store := model.NewStore()
	if _, err := store.CreateVariable("/scope/mask", tensors.FromShape(shapes.Make(dtypes.Int1, 3))); err != nil {
		t.Fatal(err)
	}
	var failed error
	for _, err := range trackable.Save(gomlx.New(store, nil), nil) {
		if err != nil {
			failed = err
		}
	}
	if failed == nil || !strings.Contains(failed.Error(), "variable /scope/mask: dtype Int1") {
		t.Errorf("Save = %v, want an error that names /scope/mask and Int1", failed)
	}
}

func TestADTypeThatGoMLXCannotHoldIsRefused(t *testing.T) {
	store := model.NewStore()
	create(t, store, "/a", float32(1))
	file := save(t, gomlx.New(store, nil))
	text, err := tensor.FromStrings(nil, []string{"text"})
	if err != nil {
		t.Fatal(err)
	}
	file.tensors["a"+suffix] = text

	fresh := model.NewStore()
	m := gomlx.New(fresh, nil)
	status := restore(t, m, file)
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "/a") {
				t.Errorf("GetVariable panicked with %v, want an error that names /a", err)
			}
		}()
		fresh.GetVariable("/a")
	}()
	if err := status.Err(); err == nil || !strings.Contains(err.Error(), "string") {
		t.Errorf("Err() = %v, want an error about string", err)
	}
}
