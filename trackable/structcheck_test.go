package trackable_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

// forgotten has fields that its author did not export.
type forgotten struct{ weights, bias []float32 }

func TestTypesThatCannotBeSavedAreNamed(t *testing.T) {
	type inner struct{ F func() }
	type pair struct {
		A int `ckpt:"x"`
		B int `ckpt:"x"`
	}
	for _, c := range []struct {
		ptr  any
		want string
	}{
		{nil, "want a pointer to a struct"},
		{new(int), "want a pointer to a struct"},
		{layer{}, "want a pointer to a struct"},
		{(*layer)(nil), "want a pointer to a struct, got a nil *trackable_test.layer"},
		{scalar(1), "is an Object already"},
		{&forgotten{weights: nil, bias: nil}, "struct: forgotten: trackable_test.forgotten cannot be saved: it has no exported fields"},
		{&struct {
			A int
			b int `ckpt:"b"`
		}{}, `.b: has the tag "b", but is not exported`},
		{&struct {
			A int `ckpt:"a,omitempty"`
		}{}, "there are no options"},
		{&struct{ X []inner }{}, ".X[].F: func() cannot be saved"},
		{&struct{ C chan int }{}, ".C: chan int cannot be saved"},
		{&struct{ I any }{}, ".I: interface {} cannot be saved"},
		{&struct{ P uintptr }{}, ".P: uintptr cannot be saved"},
		{&struct{ M map[int]float32 }{}, ".M: map[int]float32 cannot be saved: its keys are not strings"},
		{&struct{ Mu sync.Mutex }{}, ".Mu: sync.Mutex cannot be saved: it has no exported fields"},
		{&struct {
			M map[string]trackable.Variable[int8]
		}{}, "use pointers"},
		{&struct{ P pointers }{}, "it is a pointer to pointers only"},
		{&pair{}, `two fields are named "x"`},
		{&struct{ *base }{}, "embedded pointer that is not exported"},
	} {
		_, err := trackable.Struct(c.ptr)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Struct(%T) = %v, want %v", c.ptr, err, c.want)
		}
	}
	var u *trackable.UnsupportedTypeError
	if _, err := trackable.Struct(&struct{ C chan int }{}); !errors.As(err, &u) || u.Path != ".C" {
		t.Errorf("Struct = %v, want an *UnsupportedTypeError of .C", err)
	}
}
