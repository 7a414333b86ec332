package trackable

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/ckpt-dev/ckpt/tensor"
)

// contiguous reports whether a value of type t is one run of memory that holds
// its elements: a number, or arrays of them.
func contiguous(t reflect.Type) bool {
	for t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t.Kind() != reflect.Slice && t.Kind() != reflect.String
}

// sameInMemory reports whether elements of type t are in memory as they are in
// a file.
func sameInMemory(t reflect.Type) bool {
	little := binary.NativeEndian.Uint16([]byte{1, 0}) == 1
	return little && !narrow(t)
}

// narrow reports whether t is an int or uint on a machine where those have 32
// bits, while files have 64.
func narrow(t reflect.Type) bool {
	return strconv.IntSize == 32 && (t.Kind() == reflect.Int || t.Kind() == reflect.Uint)
}

// runs calls f with each run of elements of v, in row-major order.
func runs(v reflect.Value, f func(run []byte)) {
	switch {
	case v.Kind() == reflect.Slice && contiguous(v.Type().Elem()):
		if size := v.Len() * int(v.Type().Elem().Size()); size > 0 {
			f(unsafe.Slice((*byte)(v.UnsafePointer()), size))
		}
	case contiguous(v.Type()):
		if size := int(v.Type().Size()); size > 0 {
			f(unsafe.Slice((*byte)(v.Addr().UnsafePointer()), size))
		}
	default:
		for i := range v.Len() {
			runs(v.Index(i), f)
		}
	}
}

// gather returns the tensor of v, sharing its memory if that is one run.
func gather(v reflect.Value, shape tensor.Shape) (tensor.Tensor, error) {
	elem := leafElem(v.Type())
	if elem.Kind() == reflect.String {
		var elems []string
		eachString(v, func(s reflect.Value) { elems = append(elems, s.String()) })
		return tensor.FromStrings(shape, elems)
	}
	var parts [][]byte
	runs(v, func(run []byte) { parts = append(parts, run) })
	if len(parts) == 1 && sameInMemory(elem) {
		return tensor.FromBytes(leafDType(elem), shape, parts[0])
	}
	var data []byte
	for _, part := range parts {
		data = append(data, toFile(elem, part)...)
	}
	return tensor.FromBytes(leafDType(elem), shape, data)
}

func (n leafNode) destination(Object) []byte {
	v := n.at.value()
	elem := leafElem(v.Type())
	if elem.Kind() == reflect.String || !sameInMemory(elem) || v.Kind() != reflect.Slice && !v.CanAddr() {
		return nil
	}
	var parts [][]byte
	runs(v, func(run []byte) { parts = append(parts, run) })
	if len(parts) != 1 {
		return nil
	}
	return parts[0]
}

// toFile returns a run of memory as a file has it.
func toFile(elem reflect.Type, run []byte) []byte {
	if sameInMemory(elem) {
		return run
	}
	var out []byte
	if narrow(elem) {
		for ; len(run) > 0; run = run[4:] {
			n := uint64(binary.NativeEndian.Uint32(run))
			if elem.Kind() == reflect.Int {
				n = uint64(int64(int32(n)))
			}
			out = binary.LittleEndian.AppendUint64(out, n)
		}
		return out
	}
	out = append(out, run...)
	tensor.SwapBytes(leafDType(elem), out)
	return out
}

// scatter copies a tensor of v's shape into v, which has an address. Slices
// that are nil are made; those that are not keep their memory.
func scatter(v reflect.Value, t tensor.Tensor) error {
	shaped(v, t.Shape())
	if t.DType() == tensor.String {
		elems, err := t.Strings()
		if err != nil {
			return err
		}
		eachString(v, func(s reflect.Value) {
			s.SetString(strings.Clone(elems[0]))
			elems = elems[1:]
		})
		return nil
	}
	elem, data := leafElem(v.Type()), t.Bytes()
	runs(v, func(run []byte) { data = data[fromFile(elem, run, data):] })
	return nil
}

// shaped makes the slices that v lacks; an empty one stays nil.
func shaped(v reflect.Value, shape tensor.Shape) {
	if len(shape) == 0 || contiguous(v.Type()) {
		return
	}
	if v.Kind() == reflect.Slice && v.IsNil() {
		if shape[0] == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), int(shape[0]), int(shape[0])))
	}
	if len(shape) > 1 && !contiguous(v.Type().Elem()) {
		for i := range v.Len() {
			shaped(v.Index(i), shape[1:])
		}
	}
}

// fitsInt reports the first number that this machine's int does not hold.
func fitsInt(elem reflect.Type, data []byte) error {
	for ; len(data) > 0; data = data[8:] {
		n := binary.LittleEndian.Uint64(data)
		if elem.Kind() == reflect.Int && int64(n) != int64(int32(n)) || elem.Kind() == reflect.Uint && n > 1<<32-1 {
			return fmt.Errorf("a stored number is too large for %v on this machine", elem)
		}
	}
	return nil
}

// fromFile fills a run of memory from a file's bytes and returns how many it
// took. A bool that is neither 0 nor 1 becomes 1, since no other is valid in Go.
func fromFile(elem reflect.Type, run, data []byte) int {
	if narrow(elem) {
		for i := 0; i < len(run); i += 4 {
			binary.NativeEndian.PutUint32(run[i:], uint32(binary.LittleEndian.Uint64(data[2*i:])))
		}
		return 2 * len(run)
	}
	if elem.Kind() == reflect.Bool {
		for i := range run {
			run[i] = min(data[i], 1)
		}
		return len(run)
	}
	copySteps(run, data)
	if !sameInMemory(elem) {
		tensor.SwapBytes(leafDType(elem), run)
	}
	return len(run)
}

// eachString calls f with each string of v, in row-major order.
func eachString(v reflect.Value, f func(s reflect.Value)) {
	if v.Kind() == reflect.String {
		f(v)
		return
	}
	for i := range v.Len() {
		eachString(v.Index(i), f)
	}
}
