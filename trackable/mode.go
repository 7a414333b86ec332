package trackable

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Mode says what a restore does with stored tensors that do not fit their
// objects. The zero Mode is strict: it restores nothing, and its error is a
// report of all that do not fit, as TensorFlow's is of the first. The modes can
// be joined: SkipMismatched|Cast.
type Mode uint8

const (
	// SkipMismatched leaves objects as they are whose tensors do not fit, and
	// restores the others; LoadStatus.Skipped lists them.
	SkipMismatched Mode = 1 << iota
	// Cast converts numbers to the dtype the object has, as tensor.Convert
	// does: floats are rounded, and any other loss (an integer out of range, a
	// fraction, a float that would become infinite) is a tensor that does not
	// fit. LoadStatus.Converted lists them. Shapes must be equal; strings and
	// bools are never converted.
	Cast
)

// complaints returns what a task's object has against its tensors. In mode
// Cast it notes the conversions that leave it nothing to complain of.
func (p *pass) complaints(t *task) []error {
	c, ok := t.object.(Checker)
	if !ok {
		return nil
	}
	infos := make(map[string]format.Info, len(t.stored))
	for _, s := range t.stored {
		infos[s.name] = s.info
	}
	errs := flatten(c.CheckTensors(infos))
	if len(errs) == 0 || p.r.mode&Cast == 0 {
		return errs
	}
	cast := conversions(errs)
	for name, m := range cast {
		infos[name] = format.Info{DType: m.Want.DType, Shape: m.Stored.Shape}
	}
	if len(cast) == 0 || c.CheckTensors(infos) != nil {
		return errs
	}
	t.cast = cast
	return nil
}

// conversions picks the complaints about dtypes that can be converted.
func conversions(errs []error) map[string]*Mismatch {
	cast := make(map[string]*Mismatch)
	for _, err := range errs {
		m, ok := err.(*Mismatch)
		if ok && m.Err == nil && m.Stored.DType != m.Want.DType && tensor.Convertible(m.Stored.DType, m.Want.DType) {
			cast[m.Attribute] = m
		}
	}
	return cast
}

// convert replaces the tensors that are to be converted.
func (t *task) convert(tensors map[string]tensor.Tensor) error {
	for name, m := range t.cast {
		v, err := tensor.Convert(tensors[name], m.Want.DType)
		if err != nil {
			return &Mismatch{Attribute: name, Err: fmt.Errorf("%v to %v: %w", m.Stored.DType, m.Want.DType, err)}
		}
		tensors[name] = v
	}
	return nil
}

// refused collects the tasks that do not fit: one report of all or, in mode
// SkipMismatched, the tasks that are left out.
type refused struct {
	p      *pass
	report MismatchError
	nodes  []int
}

func (r *refused) add(t *task, errs ...error) {
	r.nodes = append(r.nodes, t.node)
	for _, err := range errs {
		r.report.add(func() *Mismatch { return r.p.mismatch(t, err) })
	}
}

// settle returns the report, unless the mode is to skip: then the tasks in
// question leave the pass.
func (r *refused) settle() error {
	if len(r.nodes) == 0 {
		return nil
	}
	p := r.p
	if p.r.mode&SkipMismatched == 0 {
		return &r.report
	}
	for _, m := range r.report.Mismatches {
		p.skipped.add(func() *Mismatch { return m })
	}
	p.skipped.Omitted += r.report.Omitted
	left := p.tasks[:0]
	for _, t := range p.tasks {
		if len(r.nodes) > 0 && r.nodes[0] == t.node {
			p.skippedNodes = append(p.skippedNodes, t.node)
			r.nodes = r.nodes[1:]
		} else {
			left = append(left, t)
		}
	}
	p.tasks = left
	return nil
}

// Skipped lists, for a program to read, what kept the value it had: tensors
// that did not fit and that mode SkipMismatched left alone, and, in every mode,
// the objects here that the checkpoint has no value for; those have neither a
// Key nor an Attribute. Restores that waited add to it when they run.
func (s *LoadStatus) Skipped() []*Mismatch {
	all := append([]*Mismatch(nil), s.r.skipped.Mismatches...)
	v, ids, err := s.unmatched()
	if err != nil {
		return all
	}
	for _, id := range ids {
		all = append(all, &Mismatch{Object: v.routes.path(id), Err: errNoValue})
	}
	return all
}

var errNoValue = errors.New("checkpoint has no value for it")

// Converted lists the tensors that mode Cast converted: Stored is what the
// checkpoint has, Want what the object got.
func (s *LoadStatus) Converted() []*Mismatch { return s.r.converted.Mismatches }
