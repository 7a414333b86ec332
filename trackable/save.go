package trackable

import (
	"errors"
	"fmt"
	"iter"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// SaveOptions are the parts of a save that are not always needed.
type SaveOptions struct {
	// Attached are further children of the root that only this checkpoint
	// has. One that the root has itself is not repeated; if it is another
	// object, that is an error. (TensorFlow: Checkpoint(root, **kwargs))
	Attached []Child
}

// Save yields the tensors of all objects that root leads to, each under its
// key, in the order TensorFlow stores them; the graph comes last. An object
// is asked for its tensors when their turn comes, so one object's are held at
// a time. An error ends the sequence. (TensorFlow: Checkpoint.write)
func Save(root Object, o *SaveOptions) iter.Seq2[format.Named, error] {
	if o == nil {
		o = new(SaveOptions)
	}
	return func(yield func(format.Named, error) bool) {
		v, err := newView(root, o.Attached, true)
		if err != nil {
			yield(format.Named{}, err)
			return
		}
		s := saver{view: v, yield: yield, stored: make(map[string]bool, len(v.objects))}
		if err := s.run(); err != nil && err != errStopped {
			yield(format.Named{}, err)
		}
	}
}

// errStopped says that who iterates has had enough.
var errStopped = errors.New("stopped")

type saver struct {
	*view
	yield  func(format.Named, error) bool
	stored map[string]bool // keys with their slices
	states []format.Named
}

// run yields the nodes' tensors, then the states', which TensorFlow puts after
// all others (checkpoint/checkpoint.py), then the graph.
func (s *saver) run() error {
	for id := range s.objects {
		if err := s.object(id); err != nil {
			return err
		}
	}
	for _, n := range s.states {
		if err := s.put(n); err != nil {
			return err
		}
	}
	g := &Graph{Nodes: s.nodes}
	g.findValues()
	t, err := tensor.FromStrings(nil, []string{string(g.marshal())})
	if err != nil {
		return fmt.Errorf("object graph: %w", err)
	}
	return s.put(format.Named{Name: GraphKey, Tensor: t})
}

func (s *saver) put(n format.Named) error {
	if !s.yield(n, nil) {
		return errStopped
	}
	return nil
}

func (s *saver) object(id int) error {
	o, ok := s.objects[id].(Saveable)
	if !ok {
		return nil
	}
	attributes, err := o.SerializeToTensors()
	if err != nil {
		return fmt.Errorf("%s: %w", s.routes.path(id), err)
	}
	objectPath := ""
	if len(attributes) > 0 {
		objectPath = s.routes.key(id)
	}
	for _, a := range attributes {
		if err := s.attribute(id, objectPath, a); err == errStopped {
			return err
		} else if err != nil {
			return fmt.Errorf("%s: %s: %w", s.routes.path(id), a.Name, err)
		}
	}
	return nil
}

func (s *saver) attribute(id int, objectPath string, a Attribute) error {
	if !a.Tensor.DType().Valid() {
		return fmt.Errorf("dtype %v cannot be stored", a.Tensor.DType())
	}
	name := escape(a.Name)
	n := format.Named{Name: tensorKey(objectPath, name), Tensor: a.Tensor, Slice: a.Slice, Full: a.Full}
	if err := s.note(id, n, StoredTensor{name, a.FullName, n.Name}); err != nil {
		return err
	}
	if a.Name == PyState {
		s.states = append(s.states, n)
		return nil
	}
	return s.put(n)
}

// note records a tensor in the graph, once however many slices of it there are.
func (s *saver) note(id int, n format.Named, t StoredTensor) error {
	part := n.Name
	if n.Slice != nil {
		part += "\x00" + n.Slice.String()
	}
	if s.stored[part] {
		return fmt.Errorf("key %q: stored twice", n.Name)
	}
	s.stored[part] = true
	attributes := s.nodes[id].Attributes
	if last := len(attributes) - 1; n.Slice == nil || last < 0 || attributes[last].Key != t.Key {
		s.nodes[id].Attributes = append(attributes, t)
	}
	return nil
}
