package trackable

import (
	"encoding"
	"fmt"
	"reflect"

	"github.com/ckpt-dev/ckpt/tensor"
)

// Struct returns the object of a Go struct, by reflection, as encoding/json
// sees one; ptr points to it. Each exported field becomes a child named as the
// field, or as its tag says, `ckpt:"name"`; `ckpt:"-"` leaves a field out, and
// so do unexported ones. Fields of an embedded struct count as the outer's own.
//
//   - bool, numbers and string become a scalar; int and uint are stored with
//     64 bits;
//   - slices and arrays of them, nested ones too, become one tensor ([]byte:
//     of uint8). Rows of different length are an error when saved;
//   - structs become objects, and so do maps with string keys (sorted) and
//     slices and arrays of anything else;
//   - pointers are followed. A nil one is not saved, and is allocated on
//     restore if the checkpoint has values for it. What two pointers share is
//     saved once, and pointers may form cycles;
//   - a tensor.Tensor is saved as it is;
//   - a type that is an encoding.BinaryMarshaler and BinaryUnmarshaler, such as
//     time.Time, or TextMarshaler and TextUnmarshaler, such as big.Int, becomes
//     one string of bytes;
//   - an Object is used as it is.
//
// Any other type is an *UnsupportedTypeError, so that nothing is left out
// unsaid. Restoring is strict: a tensor must have the dtype and shape that the
// field has now. A nil slice takes any length, and stays nil if that is 0; a
// slice that is not nil, also one of structs, keeps its length. A map gets the
// keys that are stored and keeps others.
//
// Two Structs of one pointer are the same object.
func Struct(ptr any) (Object, error) {
	v := reflect.ValueOf(ptr)
	switch {
	case v.Kind() != reflect.Pointer || v.Type().Elem().Kind() != reflect.Struct:
		return nil, fmt.Errorf("struct: want a pointer to a struct, got %T", ptr)
	case v.IsNil():
		return nil, fmt.Errorf("struct: want a pointer to a struct, got a nil %T", ptr)
	case isObject(v.Type()):
		return nil, fmt.Errorf("struct: %T is an Object already, perhaps as it embeds a Node: use it without Struct", ptr)
	}
	t := v.Type().Elem()
	c := typeChecker{seen: map[reflect.Type]bool{t: true}}
	if err := c.checkStruct(t, t.Name()); err != nil {
		return nil, err
	}
	return structNode{addressOf(v.Elem())}, nil
}

// UnsupportedTypeError says which field of a struct cannot be saved.
type UnsupportedTypeError struct {
	Path   string // "Model.Layers.Loss"
	Type   reflect.Type
	Reason string
}

// Error returns one sentence.
func (e *UnsupportedTypeError) Error() string {
	return fmt.Sprintf("struct: %s: %v cannot be saved: %s", e.Path, e.Type, e.Reason)
}

var (
	objectType            = reflect.TypeFor[Object]()
	tensorType            = reflect.TypeFor[tensor.Tensor]()
	binaryMarshalerType   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshalerType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	textMarshalerType     = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// kind is what a Go type is saved as.
type kind int

const (
	kindNone    kind = iota // cannot be saved
	kindObject              // is an Object
	kindPointer             // what it points to
	kindState               // one string of bytes
	kindTensor              // a tensor.Tensor
	kindLeaf                // one tensor
	kindStruct
	kindMap
	kindList
)

// kindOf sorts types. Objects come first: their author decided.
func kindOf(t reflect.Type) kind {
	switch {
	case isObject(t):
		return kindObject
	case t.Kind() == reflect.Pointer:
		return kindPointer
	case t == tensorType:
		return kindTensor
	case isState(t):
		return kindState
	case leafElem(t) != nil:
		return kindLeaf
	}
	switch t.Kind() {
	case reflect.Struct:
		return kindStruct
	case reflect.Map:
		return kindMap
	case reflect.Slice, reflect.Array:
		return kindList
	}
	return kindNone
}

func isObject(t reflect.Type) bool {
	return t.Implements(objectType) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(objectType)
}

// isState reports whether t turns itself into bytes. A struct that only has
// the methods because it embeds a type with them would lose its other fields.
func isState(t reflect.Type) bool { return isBinary(t) || isText(t) }

func isBinary(t reflect.Type) bool {
	return ownMethods(t, binaryMarshalerType, binaryUnmarshalerType)
}

func isText(t reflect.Type) bool { return ownMethods(t, textMarshalerType, textUnmarshalerType) }

func ownMethods(t, marshaler, unmarshaler reflect.Type) bool {
	p := reflect.PointerTo(t)
	if t.Kind() == reflect.Interface || !p.Implements(marshaler) || !p.Implements(unmarshaler) {
		return false
	}
	if t.Kind() != reflect.Struct {
		return true
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && (f.Type.Implements(unmarshaler) || reflect.PointerTo(f.Type).Implements(unmarshaler)) {
			return false
		}
	}
	return true
}
