package tensor

import (
	"fmt"
	"strings"
)

// DType is the type of a tensor's elements. It is numbered as TensorFlow's
// DataType (core/framework/types.proto), so that no table maps one to the
// other. (TensorFlow: tf.DType)
type DType int32

// The element types TensorFlow has. Resource cannot be stored; numbers
// of 4 and 2 bits take a byte each, as in TensorFlow's memory and files.
const (
	Invalid DType = iota
	Float32
	Float64
	Int32
	Uint8
	Int16
	Int8
	String
	Complex64
	Int64
	Bool
	QInt8
	QUint8
	QInt32
	BFloat16
	QInt16
	QUint16
	Uint16
	Complex128
	Float16
	Resource
	Variant
	Uint32
	Uint64
	Float8E5M2
	Float8E4M3FN
	Float8E4M3FNUZ
	Float8E4M3B11FNUZ
	Float8E5M2FNUZ
	Int4
	Uint4
	Int2
	Uint2
	Float4E2M1FN
)

// dtypes gives each DType its Python name and its size in bytes.
var dtypes = [...]struct {
	name string
	size int
}{
	Invalid:           {"invalid", 0},
	Float32:           {"float32", 4},
	Float64:           {"float64", 8},
	Int32:             {"int32", 4},
	Uint8:             {"uint8", 1},
	Int16:             {"int16", 2},
	Int8:              {"int8", 1},
	String:            {"string", 0},
	Complex64:         {"complex64", 8},
	Int64:             {"int64", 8},
	Bool:              {"bool", 1},
	QInt8:             {"qint8", 1},
	QUint8:            {"quint8", 1},
	QInt32:            {"qint32", 4},
	BFloat16:          {"bfloat16", 2},
	QInt16:            {"qint16", 2},
	QUint16:           {"quint16", 2},
	Uint16:            {"uint16", 2},
	Complex128:        {"complex128", 16},
	Float16:           {"float16", 2},
	Resource:          {"resource", 0},
	Variant:           {"variant", 0},
	Uint32:            {"uint32", 4},
	Uint64:            {"uint64", 8},
	Float8E5M2:        {"float8_e5m2", 1},
	Float8E4M3FN:      {"float8_e4m3fn", 1},
	Float8E4M3FNUZ:    {"float8_e4m3fnuz", 1},
	Float8E4M3B11FNUZ: {"float8_e4m3b11fnuz", 1},
	Float8E5M2FNUZ:    {"float8_e5m2fnuz", 1},
	Int4:              {"int4", 1},
	Uint4:             {"uint4", 1},
	Int2:              {"int2", 1},
	Uint2:             {"uint2", 1},
	Float4E2M1FN:      {"float4_e2m1fn", 1},
}

func (d DType) known() bool { return d > Invalid && int(d) < len(dtypes) }

// Valid reports whether d is a type that a file can store: known, not
// Invalid, not Resource and not one of TensorFlow's reference types.
func (d DType) Valid() bool { return d.known() && d != Resource }

// Size returns the bytes one element takes, in memory and in a file. It is 0
// for String and Variant, whose elements vary in length, and for types that
// cannot be stored.
func (d DType) Size() int {
	if !d.known() {
		return 0
	}
	return dtypes[d].size
}

// String returns TensorFlow's Python name of d, such as "float32".
func (d DType) String() string {
	if d != Invalid && !d.known() {
		return fmt.Sprintf("dtype(%d)", int32(d))
	}
	return dtypes[d].name
}

// ParseDType returns the DType of a Python name ("float32") or of the name
// TensorFlow's messages and C++ use ("float", "DT_FLOAT", "half").
func ParseDType(name string) (DType, error) {
	short := strings.ToLower(strings.TrimPrefix(name, "DT_"))
	switch short {
	case "float":
		return Float32, nil
	case "double":
		return Float64, nil
	case "half":
		return Float16, nil
	}
	for d, t := range dtypes {
		if d > 0 && t.name == short {
			return DType(d), nil
		}
	}
	return Invalid, fmt.Errorf("dtype %q: not one of TensorFlow's", name)
}
