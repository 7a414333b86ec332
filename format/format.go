// Package format holds what every file format of tensors shares: the
// interface to read from, a tensor on its way to a file, and the errors.
//
// A format takes an io.ReaderAt and a size, as archive/zip does; it knows no
// paths, no network and no context.
package format

import "github.com/ckpt-dev/ckpt/tensor"

// Source is a file of named tensors. Every format's Reader is one, and
// trackable.Restore reads from one, so that a model can be restored from any
// format. A Source is safe for use by several goroutines.
// (TensorFlow: CheckpointReader)
type Source interface {
	// Names returns the tensors' names in file order, so that reading in
	// this order reads forward.
	Names() []string
	// Info returns dtype and shape of the tensor name, without reading it.
	// An unknown name is an error that wraps ErrNoTensor.
	Info(name string) (Info, error)
	// Tensor reads the tensor name and verifies its checksum, if the format
	// has one. Damage is a *CorruptError.
	Tensor(name string) (tensor.Tensor, error)
}

// Info describes a stored tensor.
type Info struct {
	DType tensor.DType
	Shape tensor.Shape
}

// Named is a tensor on its way to a file.
type Named struct {
	Name   string
	Tensor tensor.Tensor
	Slice  *tensor.Slice // the region Tensor is of a larger variable; nil: the whole
	Full   tensor.Shape  // shape of the whole variable when Slice is set
}
