package cli

import (
	"errors"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
)

const value = "/.ATTRIBUTES/VARIABLE_VALUE"

var modelNames = []string{
	"model/dense/kernel" + value,
	"model/dense/bias" + value,
	"model/out/kernel" + value,
	"model/dense/kernel/.OPTIMIZER_SLOT/opt/m" + value,
	"table/.ATTRIBUTES/table-keys",
	"save_counter" + value,
	"_CHECKPOINTABLE_OBJECT_GRAPH",
}

func TestTensorsAreFoundByWhatPeopleCallThem(t *testing.T) {
	for want, name := range map[string]string{
		"model/dense/kernel" + value:   modelNames[0],
		"model/dense/kernel":           modelNames[0],
		"dense/bias":                   modelNames[1],
		"bias":                         modelNames[1],
		"opt/m":                        modelNames[3],
		"table":                        modelNames[4],
		"_CHECKPOINTABLE_OBJECT_GRAPH": modelNames[6],
	} {
		if got, err := findTensor(want, modelNames); err != nil || got != name {
			t.Errorf("findTensor(%q) = %q, %v, want %q", want, got, err, name)
		}
	}
}

func TestATensorNotFoundHasNearNames(t *testing.T) {
	for _, c := range []struct{ want, sentence, hint string }{
		{"kernel", `"kernel": no such tensor: 2 names end in it`,
			"give one of them in full: " + modelNames[0] + ", " + modelNames[2]},
		{"model/dense/kernal", `"model/dense/kernal": no such tensor`,
			"did you mean " + modelNames[0] + "?"},
		{"biass", `"biass": no such tensor`, "did you mean " + modelNames[1] + "?"},
		{"completely/else", `"completely/else": no such tensor`, "'ckpt show' lists the 7 tensors there are"},
	} {
		_, err := findTensor(c.want, modelNames)
		if !errors.Is(err, format.ErrNoTensor) || err.Error() != c.sentence || hintOf(err) != c.hint {
			t.Errorf("findTensor(%q): %v (%s), want %s (%s)", c.want, err, hintOf(err), c.sentence, c.hint)
		}
	}
}

func TestNearNamesAreFewAndBestFirst(t *testing.T) {
	names := []string{"w1", "w2", "w3", "w4", "w5", "w6", "far/away"}
	if got, want := nearest("w", names, 5), names[:5]; !slices.Equal(got, want) {
		t.Errorf("nearest(w) = %q, want %q", got, want)
	}
	if got, want := nearest("far/awy", names, 5), names[6:]; !slices.Equal(got, want) {
		t.Errorf("nearest(far/awy) = %q, want %q", got, want)
	}
}
