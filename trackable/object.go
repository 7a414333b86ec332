package trackable

import (
	"fmt"
	"reflect"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Names that TensorFlow gave a meaning.
const (
	// GraphKey is the key of the tensor that holds the object graph.
	GraphKey = "_CHECKPOINTABLE_OBJECT_GRAPH" // trackable/constants.py
	// VariableValue is the one attribute of a variable.
	VariableValue = "VARIABLE_VALUE" // trackable/constants.py
	// PyState is the one attribute of an object that is saved as opaque
	// bytes; see State.
	PyState = "py_state" // trackable/python_state.py
)

// Object is a node of the graph. Two Objects are the same node when they are
// equal as interface values, so nodes are pointers as a rule; a map or a slice
// cannot be one. (TensorFlow: Trackable)
type Object interface {
	// TrackableChildren lists the edges that leave the object, in an order
	// that does not change: it decides the numbering of the saved graph.
	// Names are unique and no Object is nil.
	// (TensorFlow: _trackable_children, TrackableView.children)
	TrackableChildren() []Child
}

// Child is an edge of the graph.
type Child struct {
	Name   string
	Object Object
}

// Saveable is an Object that owns tensors.
type Saveable interface {
	Object
	// SerializeToTensors returns the object's tensors in the order they are
	// to be stored. Save calls it once, when the object's turn comes, so that
	// one object's tensors are held at a time.
	// (TensorFlow: _serialize_to_tensors)
	SerializeToTensors() ([]Attribute, error)
	// RestoreFromTensors copies the stored tensors, by attribute name, into
	// the object. It gets all of them in one call, after everything that is
	// restored with them was verified; an object that implements Checker has
	// agreed to their dtypes and shapes. Of a variable that was stored in
	// slices it gets the whole. The tensors are not to be kept or changed.
	// (TensorFlow: _restore_from_tensors)
	RestoreFromTensors(map[string]tensor.Tensor) error
}

// Attribute is one tensor of an object on its way to a checkpoint.
type Attribute struct {
	Name     string
	FullName string // TensorFlow's name of the variable, such as "dense/kernel"; often empty
	Tensor   tensor.Tensor
	Slice    *tensor.Slice // the region Tensor is of a larger variable; nil: the whole
	Full     tensor.Shape  // the whole variable's shape when Slice is set
}

// Checker is a Saveable that can refuse tensors before any is applied.
// Without it, a wrong shape shows only in RestoreFromTensors, when objects
// before it may have been restored already.
type Checker interface {
	// CheckTensors is told what RestoreFromTensors would get. Each complaint
	// is an error; several are joined with errors.Join, and Mismatch is the
	// kind to use for a wrong dtype or shape.
	CheckTensors(map[string]format.Info) error
}

// SlotOwner is an optimizer that keeps extra values, slots, for variables it
// does not own: a momentum for each weight, say.
// (TensorFlow: _create_or_restore_slot_variable)
type SlotOwner interface {
	Object
	// Slots lists the slots there are. The order of their names' first
	// appearance is the order they are saved in.
	// (TensorFlow: get_slot_names, get_slot)
	Slots() []Slot
	// MakeSlot makes the slot that a checkpoint has and Slots does not list
	// yet. It may be called for a restore that fails later: a fresh slot is
	// no more than what the optimizer's first step would make. An owner that
	// cannot make it now returns nil and no error, and, if it embeds Node,
	// calls Node.TrackSlot when it can. Without a Node nothing can wait: the
	// stored slot is lost, and AssertConsumed tells.
	MakeSlot(variable Object, name string) (Object, error)
}

// Slot is one extra value that an optimizer keeps for a variable.
// (TensorFlow: slot variable)
type Slot struct {
	Variable Object
	Name     string // "m", "momentum"
	Value    Object // an object without children, and nobody's child
}

// checkObject refuses what cannot be a node of a graph.
func checkObject(o Object) error {
	if isNil(o) {
		return errNilObject
	}
	if !reflect.ValueOf(o).Comparable() {
		return fmt.Errorf("type %T cannot be told from its equals: use a pointer", o)
	}
	return nil
}

func isNil(o Object) bool {
	if o == nil {
		return true
	}
	v := reflect.ValueOf(o)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// same reports whether a and b are one object, without the panic that
// comparing two maps is.
func same(a, b Object) bool {
	return checkObject(a) == nil && checkObject(b) == nil && a == b
}
