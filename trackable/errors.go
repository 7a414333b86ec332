package trackable

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
)

// ErrNotMatched is what every failed assertion of a LoadStatus is, and every
// MismatchError.
var ErrNotMatched = errors.New("not matched")

var errNilObject = errors.New("object is nil")

// Mismatch is a stored tensor that does not fit the object it would go to.
// A Checker returns one with Attribute, Stored and Want set; Object and Key
// are filled in by Restore.
type Mismatch struct {
	Object    string // path of the object, "(root).dense.kernel"
	Key       string // the tensor's name in the checkpoint; "" if the checkpoint has none
	Attribute string // the object's name of the tensor
	Stored    format.Info
	Want      format.Info // a length of -1 may be any
	Err       error       // set instead of Stored and Want when it is not about them
}

// Error returns one sentence: which tensor, what is stored, what is wanted.
func (m *Mismatch) Error() string {
	var b strings.Builder
	if m.Object != "" {
		fmt.Fprintf(&b, "%s: ", m.Object)
	}
	if m.Key != "" {
		fmt.Fprintf(&b, "%s: ", m.Key)
	}
	if m.Err != nil {
		b.WriteString(m.Err.Error())
		return b.String()
	}
	want := strings.ReplaceAll(m.Want.Shape.String(), strconv.Itoa(anyLength), "?")
	fmt.Fprintf(&b, "checkpoint has %v %v, object wants %v %v", m.Stored.DType, m.Stored.Shape, m.Want.DType, want)
	return b.String()
}

// Unwrap returns m.Err.
func (m *Mismatch) Unwrap() error { return m.Err }

// Is reports whether target is ErrNotMatched.
func (m *Mismatch) Is(target error) bool { return target == ErrNotMatched }

// MismatchError is the report of all tensors that do not fit, made before
// anything was restored. errors.Is(err, ErrNotMatched) holds.
type MismatchError struct {
	Mismatches []*Mismatch
	Omitted    int // further ones: of a graph made so that to name them all would fill the memory
	size       int // bytes of text so far
}

// reportLimit bounds the text of a report, in bytes. A chain of objects that a
// hostile file describes has paths that together are the square of the file.
const reportLimit = 1 << 20

// add adds a mismatch, which is only made if there is room: its path alone may
// be long.
func (e *MismatchError) add(mismatch func() *Mismatch) {
	if e.size > reportLimit {
		e.Omitted++
		return
	}
	m := mismatch()
	e.size += len(m.Object) + len(m.Key)
	e.Mismatches = append(e.Mismatches, m)
}

// Error returns the first mismatch as a sentence, and one line for each when
// there are several.
func (e *MismatchError) Error() string {
	if len(e.Mismatches) == 1 && e.Omitted == 0 {
		return e.Mismatches[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d tensors do not fit; nothing was restored", len(e.Mismatches)+e.Omitted)
	for _, m := range e.Mismatches {
		fmt.Fprintf(&b, "\n\t%v", m)
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "\n\tand %d more", e.Omitted)
	}
	return b.String()
}

// Is reports whether target is ErrNotMatched.
func (e *MismatchError) Is(target error) bool { return target == ErrNotMatched }

// Unwrap returns the mismatches.
func (e *MismatchError) Unwrap() []error {
	errs := make([]error, len(e.Mismatches))
	for i, m := range e.Mismatches {
		errs[i] = m
	}
	return errs
}
