package checkpoint

import (
	"errors"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestARestoreInPlaceNamesWhatDamageLeftOverwritten(t *testing.T) {
	dir := mem.Dir()
	saved := Objects{"a": variable(1, 2), "b": variable(3, 4), "c": variable(5, 6)}
	path, err := New(nil, saved, nil).Save(background(), dir, "ckpt")
	if err != nil {
		t.Fatal(err)
	}
	restore := func(o *Options) (a *variableF, err error) {
		a = variable(7, 7)
		_, err = New(nil, Objects{"a": a, "b": variable(7, 7), "c": variable(7, 7)}, o).Restore(background(), dir, path)
		return a, err
	}
	if a, err := restore(&Options{InPlace: true}); err != nil || !slices.Equal(a.Value, []float32{1, 2}) {
		t.Errorf("Restore in place = %v, a = %v, want 1 2", err, a.Value)
	}
	writeFile(t, dir, dataOf(path), "?"+readFile(t, dir, dataOf(path))[1:])
	_, err = restore(&Options{InPlace: true})
	var e *trackable.OverwrittenError
	if !errors.Is(err, format.ErrCorrupt) || !errors.As(err, &e) || !slices.Contains(e.Tensors, "a/.ATTRIBUTES/VARIABLE_VALUE") {
		t.Errorf("Restore in place of damage = %v, want an *OverwrittenError that names a", err)
	}
	if a, err := restore(nil); !errors.Is(err, format.ErrCorrupt) || errors.As(err, &e) || !slices.Equal(a.Value, []float32{7, 7}) {
		t.Errorf("Restore of damage = %v, a = %v, want nothing changed", err, a.Value)
	}
}
