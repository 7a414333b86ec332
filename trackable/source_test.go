package trackable_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// memory is a format.Source of what Save yielded. It counts the reads, and
// fails those of the names in broken.
type memory struct {
	names   []string
	tensors map[string]tensor.Tensor
	broken  map[string]error
	mu      sync.Mutex
	reads   map[string]int
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
	m.mu.Lock()
	m.reads[name]++
	m.mu.Unlock()
	if err := m.broken[name]; err != nil {
		return tensor.Tensor{}, err
	}
	t, ok := m.tensors[name]
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", name, format.ErrNoTensor)
	}
	return t, nil
}

func newMemory() *memory {
	return &memory{
		tensors: make(map[string]tensor.Tensor),
		broken:  make(map[string]error),
		reads:   make(map[string]int),
	}
}

// set puts a tensor into m, or replaces it.
func (m *memory) set(name string, t tensor.Tensor) {
	if _, ok := m.tensors[name]; !ok {
		m.names = append(m.names, name)
	}
	m.tensors[name] = t
}

// drop removes a tensor from m.
func (m *memory) drop(name string) {
	delete(m.tensors, name)
	m.names = slices.DeleteFunc(m.names, func(n string) bool { return n == name })
}

// saved returns what Save yields, copied.
func saved(t testing.TB, root trackable.Object, attached ...trackable.Child) *memory {
	t.Helper()
	m := newMemory()
	for n, err := range trackable.Save(root, &trackable.SaveOptions{Attached: attached}) {
		if err != nil {
			t.Fatalf("Save = %v, want no error", err)
		}
		m.set(n.Name, n.Tensor.Clone())
	}
	return m
}

// saveError returns the error that ends Save.
func saveError(root trackable.Object, attached ...trackable.Child) error {
	for _, err := range trackable.Save(root, &trackable.SaveOptions{Attached: attached}) {
		if err != nil {
			return err
		}
	}
	return nil
}

func restored(t testing.TB, root trackable.Object, src format.Source, o *trackable.RestoreOptions) *trackable.LoadStatus {
	t.Helper()
	s, err := trackable.Restore(root, src, o)
	if err != nil {
		t.Fatalf("Restore = %v, want no error", err)
	}
	return s
}

func scalar(v float32) *trackable.Variable[float32] { return trackable.NewScalar("", v) }

func vector(v ...float32) *trackable.Variable[float32] {
	return trackable.NewVariable("", tensor.Shape{int64(len(v))}, v)
}

// tree returns a Node with the children name, object, name, object ...
func tree(pairs ...any) *trackable.Node {
	n := new(trackable.Node)
	for i := 0; i < len(pairs); i += 2 {
		n.Track(pairs[i].(string), pairs[i+1].(trackable.Object))
	}
	return n
}

func wantKeys(t *testing.T, m *memory, want ...string) {
	t.Helper()
	if want = append(want, trackable.GraphKey); !slices.Equal(m.names, want) {
		t.Errorf("Save yields %q, want %q", m.names, want)
	}
}

func wantValue(t *testing.T, what string, v *trackable.Variable[float32], want ...float32) {
	t.Helper()
	if !slices.Equal(v.Value, want) {
		t.Errorf("%s = %v, want %v", what, v.Value, want)
	}
}
