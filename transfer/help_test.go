package transfer_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// memory is a Source in memory.
type memory struct {
	names   []string
	tensors map[string]tensor.Tensor
	broken  map[string]bool
}

func newMemory() *memory {
	return &memory{tensors: make(map[string]tensor.Tensor), broken: make(map[string]bool)}
}

func (m *memory) Names() []string { return m.names }

func (m *memory) Info(name string) (format.Info, error) {
	t, ok := m.tensors[name]
	if !ok {
		return format.Info{}, fmt.Errorf("%s: %w", name, format.ErrNoTensor)
	}
	return format.Info{DType: t.DType(), Shape: t.Shape()}, nil
}

func (m *memory) Tensor(name string) (tensor.Tensor, error) {
	if m.broken[name] {
		return tensor.Tensor{}, &format.CorruptError{Part: "memory", Tensor: name, Reason: "crc32c"}
	}
	if _, err := m.Info(name); err != nil {
		return tensor.Tensor{}, err
	}
	return m.tensors[name], nil
}

func (m *memory) set(name string, t tensor.Tensor) {
	if _, have := m.tensors[name]; !have {
		m.names = append(m.names, name)
	}
	m.tensors[name] = t
}

// stored returns a checkpoint by names, of vectors.
func stored(values map[string][]float32) *memory {
	m := newMemory()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		m.set(name, vector(values[name]...))
	}
	return m
}

func vector(v ...float32) tensor.Tensor { return array(tensor.Shape{int64(len(v))}, v...) }

func array(shape tensor.Shape, v ...float32) tensor.Tensor {
	t, err := tensor.New(shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

// saved returns what trackable.Save stores of root.
func saved(t *testing.T, root trackable.Object) *memory {
	t.Helper()
	m := newMemory()
	for n, err := range trackable.Save(root, nil) {
		if err != nil {
			t.Fatal(err)
		}
		m.set(n.Name, n.Tensor.Clone())
	}
	return m
}

type variable = trackable.Variable[float32]

// v returns a variable of that name with a vector of that value.
func v(name string, value ...float32) *variable {
	return trackable.NewVariable(name, tensor.Shape{int64(len(value))}, value)
}

// tree returns a node with children: name, object, name, object.
func tree(children ...any) *trackable.Node {
	n := new(trackable.Node)
	for i := 0; i < len(children); i += 2 {
		n.Track(children[i].(string), children[i+1].(trackable.Object))
	}
	return n
}

// flat returns a node whose children are variables.
func flat(vars ...*variable) *trackable.Node {
	n := new(trackable.Node)
	for i, v := range vars {
		n.Track(fmt.Sprint("child", i), v)
	}
	return n
}

func wantValue(t *testing.T, v *variable, want ...float32) {
	t.Helper()
	if !slices.Equal(v.Value, want) {
		t.Errorf("variable %q = %v, want %v", v.Name, v.Value, want)
	}
}

// wantError wants an error that wraps is, if that is not nil, and contains
// each of the texts.
func wantError(t *testing.T, what string, err, is error, texts ...string) {
	t.Helper()
	if err == nil || is != nil && !errors.Is(err, is) {
		t.Errorf("%s = %v, want an error that is %v", what, err, is)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s = %v, want it to say %q", what, err, text)
		}
	}
}
