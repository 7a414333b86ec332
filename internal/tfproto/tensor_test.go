package tfproto_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

func TestElementsComeFromTheFieldOfTheirType(t *testing.T) {
	for _, c := range []struct {
		name  string
		proto string // TensorProto
		dtype int32
		size  int
		want  string
	}{
		{"float", "2a08 0000803f 00000040", 1, 4, "0000803f00000040"},
		{"float, not packed", "2d 0000803f 2d 00000040", 1, 4, "0000803f00000040"},
		{"float, in two", "2a04 0000803f 2a04 00000040", 1, 4, "0000803f00000040"},
		{"double", "3208 000000000000f03f", 2, 8, "000000000000f03f"},
		{"double, not packed", "31 000000000000f03f", 2, 8, "000000000000f03f"},
		{"int32", "3a0c 01 ffffffffffffffffff01 7f", 3, 4, "01000000ffffffff7f000000"},
		{"int8, not packed", "38 ffffffffffffffffff01 3805", 6, 1, "ff05"},
		{"int64", "5202 8001", 9, 8, "8000000000000000"},
		{"bool", "5a03 010001", 10, 1, "010001"},
		{"half", "6a03 80f801", 19, 2, "007c"},
		{"complex64", "4a08 0000803f 00000040", 8, 8, "0000803f00000040"},
		{"float8", "920102 1122", 24, 1, "1122"},
		{"uint64", "8a0101 05", 23, 8, "0500000000000000"},
		{"another type", "0801 2a0400000000", 2, 8, ""},
	} {
		var s tfproto.SavedTensorSlices
		proto := unhex(t, c.proto)
		slice := append([]byte{0x1a, byte(len(proto))}, proto...)
		if err := s.Unmarshal(append([]byte{0x12, byte(len(slice))}, slice...)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Data.Data.Elements(c.dtype, c.size)
		if err != nil || string(got) != string(unhex(t, c.want)) {
			t.Errorf("%s: Elements(%d, %d) = %x, %v, want %s", c.name, c.dtype, c.size, got, err, c.want)
		}
	}
}

func TestElementsThatAreNoneAreErrors(t *testing.T) {
	var p tfproto.TensorProto
	p.Packed[5] = []byte{1, 2, 3}
	p.Packed[7] = []byte{0x80}
	for _, dtype := range []int32{-1, 0, 1, 3, 7, 20, 21, 99} {
		if got, err := p.Elements(dtype, 4); err == nil {
			t.Errorf("Elements(%d, 4) = %x, want an error", dtype, got)
		}
	}
}
