package transfer

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// derived is a Source made from another: some of its tensors under other
// names, and some that are computed when they are asked for.
type derived struct {
	src    format.Source
	names  []string
	stored map[string]string // by name here: its name in src
	made   map[string]maker
}

// maker computes a tensor.
type maker struct {
	info format.Info
	make func() (tensor.Tensor, error)
}

func newDerived(src format.Source) *derived {
	return &derived{src: src, stored: make(map[string]string), made: make(map[string]maker)}
}

// add gives a tensor of src the name that it has here.
func (d *derived) add(name, stored string) error {
	if err := d.claim(name); err != nil {
		return err
	}
	d.stored[name] = stored
	return nil
}

// put adds a tensor that is computed.
func (d *derived) put(name string, m maker) error {
	if err := d.claim(name); err != nil {
		return err
	}
	d.made[name] = m
	return nil
}

func (d *derived) claim(name string) error {
	_, stored := d.stored[name]
	if _, made := d.made[name]; made || stored {
		return fmt.Errorf("two tensors are to be %q", name)
	}
	d.names = append(d.names, name)
	return nil
}

// Names returns the names in the order of the Source it was made from.
func (d *derived) Names() []string { return d.names }

// Info returns dtype and shape of a tensor.
func (d *derived) Info(name string) (format.Info, error) {
	if m, ok := d.made[name]; ok {
		return m.info, nil
	}
	stored, err := d.find(name)
	if err != nil {
		return format.Info{}, err
	}
	return d.src.Info(stored)
}

// Tensor reads or computes a tensor.
func (d *derived) Tensor(name string) (tensor.Tensor, error) {
	if m, ok := d.made[name]; ok {
		return m.make()
	}
	stored, err := d.find(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return d.src.Tensor(stored)
}

func (d *derived) find(name string) (string, error) {
	stored, ok := d.stored[name]
	if !ok {
		return "", fmt.Errorf("%s: %w", name, format.ErrNoTensor)
	}
	return stored, nil
}

// Verify and ReadInto pass on what the Source offers for tensors that are too
// large to be held twice; see trackable.RestoreOptions.StageLimit.

// Verify verifies a tensor, without holding it where the Source can do that.
func (d *derived) Verify(name string) error {
	v, ok := d.src.(interface{ Verify(name string) error })
	if stored, err := d.find(name); ok && err == nil {
		return v.Verify(stored)
	}
	_, err := d.Tensor(name)
	return err
}

// ReadInto reads the bytes of a tensor into dst.
func (d *derived) ReadInto(name string, dst []byte) error {
	r, ok := d.src.(interface {
		ReadInto(name string, dst []byte) error
	})
	if stored, err := d.find(name); ok && err == nil {
		return r.ReadInto(stored, dst)
	}
	t, err := d.Tensor(name)
	if err != nil {
		return err
	}
	if int64(len(dst)) != t.NumBytes() {
		return fmt.Errorf("%s: has %d bytes, want %d", name, t.NumBytes(), len(dst))
	}
	copy(dst, t.Bytes())
	return nil
}

// region reads a region of a tensor.
func region(src format.Source, name string, part tensor.Slice) (tensor.Tensor, error) {
	if s, ok := src.(interface {
		Slice(name string, part tensor.Slice) (tensor.Tensor, error)
	}); ok {
		return s.Slice(name, part)
	}
	t, err := src.Tensor(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return t.Slice(part)
}
