//go:build interop

package interop

import (
	"math"
	"testing"

	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/tensor"
)

// TestConvertRoundsAsNumpyDoes converts random numbers of every type to every
// other and compares with numpy and ml_dtypes. What Convert refuses must be
// another number there.
func TestConvertRoundsAsNumpyDoes(t *testing.T) {
	m := &maker{Rand: random(t)}
	var requests []map[string]any
	var froms []tensor.Tensor
	var tos []tensor.DType
	for _, from := range variableTypes {
		for _, to := range variableTypes {
			if from == to || !tensor.Convertible(from, to) {
				continue
			}
			x := numbers(t, m, from)
			v, err := graphs.ValueOf("", x)
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, map[string]any{"value": v, "to": to.String()})
			froms, tos = append(froms, x), append(tos, to)
		}
	}
	for i, v := range must[[]graphs.Value](t, "convert", map[string]any{"requests": requests}) {
		want, err := v.Tensor()
		if err != nil {
			t.Fatal(err)
		}
		compareConversion(t, froms[i], tos[i], want)
	}
}

// numbers makes up numbers of a type: any bits, and ones of small size, which
// more types have.
func numbers(t *testing.T, m *maker, d tensor.DType) tensor.Tensor {
	t.Helper()
	var all []float64
	for range 40 {
		all = append(all, math.Ldexp(float64(m.IntN(64)-32), m.IntN(12)-6))
	}
	var data []byte
	for _, f := range all {
		x, err := tensor.New(nil, []float64{f})
		if err != nil {
			t.Fatal(err)
		}
		if x, err = tensor.Convert(x, d); err == nil {
			data = append(data, x.Bytes()...)
		}
	}
	raw := m.bytes(40 * d.Size())
	for i := range raw {
		raw[i] &= used(d)
	}
	data = append(data, raw...)
	x, err := tensor.FromBytes(d, tensor.Shape{int64(len(data) / d.Size())}, data)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// compareConversion compares each element by itself: one that Convert refuses
// must not hide the others.
func compareConversion(t *testing.T, from tensor.Tensor, to tensor.DType, want tensor.Tensor) {
	t.Helper()
	for i := range from.NumElements() {
		one, err := from.Slice(tensor.Slice{Start: []int64{i}, Length: []int64{1}})
		if err != nil {
			t.Fatal(err)
		}
		x, err := tensor.Convert(one, to)
		switch number, theirs := from.Format(i), want.Format(i); {
		case err != nil && theirs == number:
			t.Errorf("Convert(%v %s, %v) = %v, numpy has %s", from.DType(), number, to, err, theirs)
		case err == nil && x.Format(0) != theirs && twiceRounded(one, to) != theirs:
			t.Errorf("Convert(%v %s, %v) = %s, numpy has %s", from.DType(), number, to, x.Format(0), theirs)
		}
	}
}

// twiceRounded converts by way of float32, as ml_dtypes does.
func twiceRounded(x tensor.Tensor, to tensor.DType) string {
	x, err := tensor.Convert(x, tensor.Float32)
	if err == nil {
		x, err = tensor.Convert(x, to)
	}
	if err != nil {
		return err.Error()
	}
	return x.Format(0)
}
