package gomlx

import (
	"fmt"
	"strings"

	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// loader is a Model as GoMLX asks it for values, a type of its own in order
// that Model's methods are those of a checkpoint's object.
type loader Model

// LoadVariable returns what a restored checkpoint holds for a variable that
// GoMLX is about to create. (TensorFlow: restore on create)
func (l *loader) LoadVariable(store *model.Store, path string) (*tensors.Tensor, bool) {
	if l.next != nil {
		if value, ok := l.next.LoadVariable(store, path); ok {
			return value, true
		}
	}
	if l.skip(path) {
		return nil, false
	}
	value := l.take(path)
	return value, value != nil
}

// DeleteVariable drops what waits for a variable, which would otherwise come
// back with its old value when it is created again.
func (l *loader) DeleteVariable(store *model.Store, path string) error {
	l.take(path)
	if l.next != nil {
		return l.next.DeleteVariable(store, path)
	}
	return nil
}

// take gives each place on the way to path an edge, which hands down what
// waits for it, and returns what arrives at the end, or nil.
//
// A stored value that does not arrive must not become a variable initialized
// anew, unnoticed in the middle of a training. GoMLX gives a Loader no error to
// return; its own way out of building a graph is a panic with an error, which
// comes back as the error of the training step.
func (l *loader) take(path string) *tensors.Tensor {
	segments := split(path)
	p := &l.place
	for i, name := range segments {
		c := p.child(name)
		var o trackable.Object = c
		if i == len(segments)-1 {
			c.variable = nil
			o = variable{c}
		}
		c.tracked = o
		p.Track(name, o)
		p = c
	}
	value, announced := p.loaded, p.announced
	p.loaded, p.announced = nil, false
	if announced && value == nil {
		panic(fmt.Errorf("variable %s: restoring it failed: see LoadStatus.Err", path))
	}
	return value
}

func split(path string) []string {
	return strings.Split(strings.TrimPrefix(path, model.ScopeSeparator), model.ScopeSeparator)
}
