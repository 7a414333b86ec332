package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

func TestNpyHeadersAreNumpysOwn(t *testing.T) {
	for _, c := range []struct {
		dtype tensor.DType
		shape tensor.Shape
		want  string
	}{
		{tensor.Float32, tensor.Shape{784, 10}, "{'descr': '<f4', 'fortran_order': False, 'shape': (784, 10), }"},
		{tensor.Int64, nil, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }"},
		{tensor.Bool, tensor.Shape{3}, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }"},
		{tensor.Float16, tensor.Shape{2, 0, 1}, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 0, 1), }"},
		{tensor.BFloat16, tensor.Shape{1}, "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }"},
		{tensor.Int4, tensor.Shape{1}, "{'descr': '|i1', 'fortran_order': False, 'shape': (1,), }"},
		{tensor.Complex64, tensor.Shape{1}, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }"},
	} {
		got, err := npyHeader(c.dtype, c.shape)
		size := len(got) - 10
		want := "\x93NUMPY\x01\x00" + string([]byte{byte(size), byte(size >> 8)}) +
			c.want + strings.Repeat(" ", max(0, size-len(c.want)-1)) + "\n"
		if err != nil || string(got) != want || len(got)%64 != 0 {
			t.Errorf("npyHeader(%v, %v) = %q, %v, want %q", c.dtype, c.shape, got, err, want)
		}
	}
}

func TestEveryDTypeHasANumpyTypeOrASentence(t *testing.T) {
	for d := tensor.Float32; d.String()[:2] != "dt"; d++ {
		header, err := npyHeader(d, nil)
		switch {
		case err != nil && d.Size() > 0:
			t.Errorf("npyHeader(%v): %v", d, err)
		case err != nil && (!errors.Is(err, format.ErrUnsupported) || hintOf(err) == ""):
			t.Errorf("npyHeader(%v): %v, want unsupported, with a hint", d, err)
		case err == nil && !strings.Contains(string(header), string('0'+byte(d.Size())%10)+"', 'fortran") && d.Size() < 10:
			t.Errorf("npyHeader(%v) = %q, want a type of %d bytes", d, header, d.Size())
		}
	}
}

func TestNpyWritesNarrowNumbersAsTheirValues(t *testing.T) {
	for _, c := range []struct {
		dtype    tensor.DType
		in, want string
	}{
		{tensor.Int4, "\x07\x0f\xf8", "\x07\xff\xf8"},
		{tensor.Uint4, "\x07\x0f\xf8", "\x07\x0f\x08"},
		{tensor.Int2, "\x01\x02", "\x01\xfe"},
		{tensor.Uint2, "\xff", "\x03"},
		{tensor.Bool, "\x00\x01\x07", "\x00\x01\x01"},
		{tensor.Int8, "\xff", "\xff"},
	} {
		in, err := tensor.FromBytes(c.dtype, tensor.Shape{int64(len(c.in))}, []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(npyBytes(in)); got != c.want {
			t.Errorf("npyBytes(%v %q) = %q, want %q", c.dtype, c.in, got, c.want)
		}
	}
}
