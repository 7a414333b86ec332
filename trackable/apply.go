package trackable

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// task is one object to restore.
type task struct {
	node   int
	object Saveable
	stored []stored
	cast   map[string]*Mismatch     // what is converted, by attribute
	held   map[string]tensor.Tensor // verified; nil: read again when applied
	rank   int                      // place in the file, among others
	// refusal is what the object has against its tensors' values.
	refusal error
}

// stored is a tensor of a task.
type stored struct {
	name string // the object's
	key  string // the checkpoint's
	info format.Info
}

// onlyAttribute returns what an object of ours, which has but one tensor,
// takes; others get all that is stored for them. A type that embeds a Variable
// may have more tensors than that has.
func onlyAttribute(o Object) (Attribute, bool) {
	if v, ok := o.(interface {
		only(Object) (Attribute, bool)
	}); ok {
		return v.only(o)
	}
	return Attribute{}, false
}

// undoer is an object that only finds out by changing whether it can be
// restored. back takes the change back; it is nil if the object, as it is now,
// cannot tell its value.
type undoer interface{ undo() (back func() error) }

// restore reads, verifies and checks everything, and only then applies it.
func (p *pass) restore() error {
	if err := p.plan(); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	if p.agree != nil {
		if err := p.agree(); err != nil {
			return err
		}
	}
	if err := p.verify(); err != nil {
		return err
	}
	return p.apply()
}

// plan lists what is to be restored, in the order of binding. Of two nodes
// bound to one object the first restores it.
func (p *pass) plan() error {
	for _, id := range p.order {
		o, attributes := p.r.bound[id], p.r.graph.Nodes[id].Attributes
		if len(attributes) == 0 || p.planned[o] || p.r.restored[o] || p.isNewer(o) {
			continue
		}
		p.planned[o] = true
		if err := p.planObject(id, o, attributes); err != nil {
			return err
		}
	}
	return nil
}

// isNewer reports whether a later Restore than this has o's value.
func (p *pass) isNewer(o Object) bool {
	return p.newer[o] || p.r.uidOf(o) > p.r.uid
}

func (p *pass) planObject(id int, o Object, attributes []StoredTensor) error {
	object, ok := o.(Saveable)
	only, choosy := onlyAttribute(o)
	t := &task{node: id, object: object}
	seen := make(map[string]bool)
	for _, a := range attributes {
		name := unescape(a.Name)
		if !ok || choosy && name != only.Name {
			p.unused = append(p.unused, unusedTensor{id, name})
			continue
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		// A table's or an uninitialized variable's tensor may be listed and
		// not stored: that is for the object to judge.
		info, err := p.r.src.Info(a.Key)
		if err == nil {
			t.stored = append(t.stored, stored{name, a.Key, info})
		} else if !isNoTensor(err) {
			return err
		}
	}
	if _, checks := o.(Checker); ok && (checks || len(t.stored) > 0) {
		p.tasks = append(p.tasks, t)
	} else if len(seen) > 0 {
		p.unstored = append(p.unstored, id)
	}
	return nil
}

func isNoTensor(err error) bool { return errors.Is(err, format.ErrNoTensor) }

// check asks every object that can tell, before anything is read.
func (p *pass) check() error {
	not := refused{p: p}
	for _, t := range p.tasks {
		if errs := p.complaints(t); len(errs) > 0 {
			not.add(t, errs...)
		}
	}
	return not.settle()
}

// flatten takes apart what errors.Join made.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range many.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// mismatch completes what a Checker complained of.
func (p *pass) mismatch(t *task, err error) *Mismatch {
	m := &Mismatch{Err: err}
	if e, ok := err.(*Mismatch); ok {
		copied := *e
		m = &copied
	}
	m.Object = p.r.graph.Path(t.node)
	for _, s := range t.stored {
		if s.name == m.Attribute {
			m.Key = s.key
		}
	}
	return m
}

// apply restores the objects. First those that were not asked whether they
// can: if one refuses, the fewest others have changed. Last those whose memory
// is known, several at once.
func (p *pass) apply() error {
	first, rest, placed := p.turns()
	var back []func() error
	var changed []*task
	for _, t := range append(first, rest...) {
		undo := undoOf(t.object)
		if undo != nil {
			back = append(back, undo)
		}
		if err := p.applyTask(t); err != nil {
			return errors.Join(append([]error{p.applyError(t, len(changed), err)}, runAll(back)...)...)
		}
		if undo == nil {
			changed = append(changed, t)
		}
	}
	if err := p.applyPlaced(placed, changed); err != nil {
		return errors.Join(append([]error{err}, runAll(back)...)...)
	}
	return nil
}

func (p *pass) turns() (first, rest, placed []*task) {
	for _, t := range p.tasks {
		_, undoes := t.object.(undoer)
		_, checks := t.object.(Checker)
		switch {
		case undoes || !checks:
			first = append(first, t)
		case p.destination(t) == nil:
			rest = append(rest, t)
		default:
			placed = append(placed, t)
		}
	}
	return first, rest, placed
}

func undoOf(o Object) func() error {
	if u, ok := o.(undoer); ok {
		return u.undo()
	}
	return nil
}

// applyError says what stopped the restore, and how much came before it.
func (p *pass) applyError(t *task, changed int, err error) error {
	if changed == 0 {
		return fmt.Errorf("%s: %w", p.r.graph.Path(t.node), err)
	}
	return fmt.Errorf("%s: after %d other objects were restored: %w", p.r.graph.Path(t.node), changed, err)
}

// runAll runs the functions, the last first, and returns what failed.
func runAll(back []func() error) []error {
	var errs []error
	for i := len(back) - 1; i >= 0; i-- {
		if err := back[i](); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (p *pass) applyTask(t *task) error {
	tensors := t.held
	if tensors == nil {
		var err error
		if tensors, err = p.read(t); err == nil {
			err = t.convert(tensors)
		}
		if err != nil {
			return err
		}
	}
	t.held = nil
	return t.object.RestoreFromTensors(tensors)
}
