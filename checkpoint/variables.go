package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Has reports whether the checkpoint has a tensor of that name.
// (TensorFlow: has_tensor)
func (r *Reader) Has(name string) bool {
	_, err := r.Info(name)
	return err == nil
}

// Infos returns dtype and shape of every tensor, by name.
// (TensorFlow: get_variable_to_shape_map, get_variable_to_dtype_map)
func (r *Reader) Infos() (map[string]format.Info, error) {
	all := make(map[string]format.Info)
	for _, name := range r.Names() {
		info, err := r.Info(name)
		if err != nil {
			return nil, err
		}
		all[name] = info
	}
	return all, nil
}

// Stored is a tensor of a checkpoint, without its value.
type Stored struct {
	Name string
	format.Info
}

// ListVariables lists the tensors of a checkpoint by name, the object graph
// and the save counter among them. path is Load's.
// (TensorFlow: tf.train.list_variables)
func ListVariables(ctx context.Context, dir storage.Dir, path string) ([]Stored, error) {
	r, err := Load(ctx, dir, path)
	if err != nil {
		return nil, err
	}
	infos, err := r.Infos()
	if err = closing(r, err); err != nil {
		return nil, err
	}
	var list []Stored
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		list = append(list, Stored{name, infos[name]})
	}
	return list, nil
}

// LoadVariable reads one tensor of a checkpoint. The name may end in ":0", as
// TensorFlow 1 calls the first output of an operation. path is Load's. Of the
// index it reads what that tensor needs, and so sees no damage elsewhere in it.
// (TensorFlow: tf.train.load_variable)
func LoadVariable(ctx context.Context, dir storage.Dir, path, name string) (tensor.Tensor, error) {
	bare, output := strings.CutSuffix(name, ":0")
	r, err := loadOf(ctx, dir, path, name, bare, valueOf(name))
	if err != nil {
		return tensor.Tensor{}, err
	}
	t, err := r.Tensor(name)
	// A stored name that ends so itself is what was asked for.
	if output && errors.Is(err, format.ErrNoTensor) {
		t, err = r.Tensor(bare)
	}
	if errors.Is(err, format.ErrNoTensor) {
		err = fmt.Errorf("load variable of %s: %w", r.Path(), r.almost(name, err))
	}
	return t, closing(r, err)
}

// almost says so where name is that of a variable and not of its tensor.
func (r *Reader) almost(name string, err error) error {
	if key := valueOf(name); r.Has(key) {
		return fmt.Errorf("%w (but there is %s)", err, key)
	}
	return err
}

// valueOf returns the name of the tensor that a variable's value is.
func valueOf(name string) string { return name + "/.ATTRIBUTES/" + trackable.VariableValue }
