package transfer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Report is what a transfer did.
type Report struct {
	Matched   []Match  // in the order of the objects
	Untouched []string // names of the variables that kept their values
	Unused    []string // tensors of the checkpoint that nothing was made from
	// Status tells what trackable.RestoreOptions.Mode has left alone or
	// converted.
	Status *trackable.LoadStatus
}

// Match is a variable that got a value.
type Match struct {
	Variable string
	Tensor   string        // of the checkpoint
	Slice    *tensor.Slice // the region of it; nil: the whole
	Vocab    bool          // it was remapped from one vocabulary to another
}

// plan says what each variable takes. Nothing is read for it but names and
// shapes, and nothing is changed.
type plan struct {
	*model
	src      format.Source
	aliases  map[string]string // other names of keys; see aliases
	takes    map[int]taken
	problems []error
}

// taken is what a variable takes: a tensor, a region of it, or a remapping.
type taken struct {
	key   string
	slice *tensor.Slice
	vocab *VocabInfo
}

func newPlan(root trackable.Object, src format.Source, o *trackable.RestoreOptions) (*plan, error) {
	m, err := newModel(root, o.Attached)
	if err != nil {
		return nil, err
	}
	names, err := aliases(src)
	if err != nil {
		return nil, err
	}
	return &plan{model: m, src: src, aliases: names, takes: make(map[int]taken)}, nil
}

// aliases returns how else tensors of an object-based checkpoint can be
// called: by their full names, or else by the paths of their variables,
// "encoder/kernel" for "encoder/kernel/.ATTRIBUTES/VARIABLE_VALUE".
func aliases(src format.Source) (map[string]string, error) {
	names, err := fullNames(src)
	if names == nil || err != nil {
		return nil, err
	}
	for _, key := range src.Names() {
		path, ok := strings.CutSuffix(key, "/.ATTRIBUTES/"+trackable.VariableValue)
		if _, taken := names[path]; ok && path != "" && !taken {
			names[path] = key
		}
	}
	return names, nil
}

func (p *plan) problem(text string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf(text, args...))
}

// find returns the key of a stored tensor, by that or by an alias.
func (p *plan) find(name string) (string, error) {
	key := p.key(name)
	_, err := p.src.Info(key)
	return key, err
}

func (p *plan) key(name string) string {
	key, ok := p.aliases[name]
	if !ok {
		return name
	}
	if _, err := p.src.Info(name); err == nil {
		return name
	}
	return key
}

// take gives a variable a stored tensor.
func (p *plan) take(v int, name string, slice *tensor.Slice, vocab *VocabInfo) {
	key, err := p.find(name)
	if err != nil {
		p.problem("variable %q: %w", p.vars[v].name, err)
		return
	}
	if before, twice := p.takes[v]; twice && before.slice == nil && slice == nil && !p.alike(before.key, key) {
		p.problem("variable %q: is given both %s and %s, which are not of one shape and dtype: %w", p.vars[v].name, before.key, key, trackable.ErrNotMatched)
	}
	p.takes[v] = taken{key, slice, vocab}
}

// alike reports whether two tensors fit the same variable. The last of two
// assignments wins, but one that could not have been meant is an error, as in
// TensorFlow.
func (p *plan) alike(a, b string) bool {
	first, err := p.src.Info(a)
	second, failed := p.src.Info(b)
	return err == nil && failed == nil && first.DType == second.DType && first.Shape.Equal(second.Shape)
}

// apply does it all: a graph of just the objects that take something stands in
// for that of the checkpoint, so that Restore matches, verifies and applies.
func (p *plan) apply(o *trackable.RestoreOptions) (*Report, error) {
	d, g, root := newDerived(p.src), &tfproto.TrackableObjectGraph{Nodes: make([]tfproto.TrackableObject, 1)}, new(targets)
	report := new(Report)
	var all []given // by child of root
	for i, owner := range p.owners {
		node, matches := p.node(d, i)
		if len(matches) == 0 {
			continue
		}
		if len(matches) < len(owner.Tensors) {
			p.problem("%s: takes %d tensors together, and only %d are assigned", owner.Path, len(owner.Tensors), len(matches))
		}
		all = append(all, given{i, matches})
		root.add(owner, matches[0].Variable)
		g.Nodes[0].Children = append(g.Nodes[0].Children, tfproto.ObjectReference{NodeID: int32(len(g.Nodes)), LocalName: root.children[len(root.children)-1].Name})
		g.Nodes = append(g.Nodes, node)
	}
	if err := errors.Join(p.problems...); err != nil {
		return nil, err
	}
	if err := d.putGraph(g); err != nil {
		return nil, err
	}
	var err error
	report.Status, err = trackable.Restore(root, d, &trackable.RestoreOptions{Mode: o.Mode, StageLimit: o.StageLimit})
	if err != nil {
		return nil, err
	}
	p.tell(report, root, all)
	return report, nil
}

// node returns what the graph says of an owner, and adds its tensors to d.
func (p *plan) node(d *derived, owner int) (tfproto.TrackableObject, []Match) {
	var node tfproto.TrackableObject
	var matches []Match
	for _, i := range p.varsOf[owner] {
		v := p.vars[i]
		t, ok := p.takes[i]
		if !ok {
			continue
		}
		key, err := p.provide(d, v, t)
		if err != nil {
			p.problem("variable %q: %w", v.name, err)
			continue
		}
		node.Attributes = append(node.Attributes, tfproto.SerializedTensor{Name: v.of.Name, FullName: v.of.FullName, CheckpointKey: key})
		matches = append(matches, Match{v.name, t.key, t.slice, t.vocab != nil})
	}
	return node, matches
}

// provide makes d offer what a variable takes, and returns under which name.
func (p *plan) provide(d *derived, v variable, t taken) (string, error) {
	if t.slice == nil && t.vocab == nil {
		if _, have := d.stored[t.key]; have { // two variables may take one tensor
			return t.key, nil
		}
		return t.key, d.add(t.key, t.key)
	}
	info, err := p.src.Info(t.key)
	if err != nil {
		return "", err
	}
	m := maker{info: info}
	how := "remapped"
	if t.vocab != nil {
		r, err := t.vocab.remapping(info)
		if err != nil {
			return "", fmt.Errorf("%s: %w", t.key, err)
		}
		m.info = r.info
		m.make = func() (tensor.Tensor, error) { return r.load(p.src, t.key) }
	} else {
		part, err := t.slice.Resolve(info.Shape)
		if err != nil {
			return "", fmt.Errorf("%s: %w", t.key, err)
		}
		how = part.String()
		m.info.Shape = part.Shape()
		m.make = func() (tensor.Tensor, error) { return region(p.src, t.key, part) }
	}
	key := fmt.Sprintf("%s (%s for %s)", t.key, how, v.name)
	return key, d.put(key, m)
}

// given is what one object gets.
type given struct {
	owner   int
	matches []Match
}

// tell fills in who got something and what took no part. What the mode has
// skipped got nothing, whatever the plan was.
func (p *plan) tell(report *Report, root *targets, all []given) {
	skipped, used := make(map[string]bool), make(map[string]bool)
	for _, m := range report.Status.Skipped() {
		skipped[m.Object] = true
	}
	for i, child := range root.children {
		if skipped["(root)."+child.Name] {
			for _, v := range p.varsOf[all[i].owner] {
				delete(p.takes, v)
			}
			continue
		}
		report.Matched = append(report.Matched, all[i].matches...)
		for _, m := range all[i].matches {
			used[m.Tensor] = true
		}
	}
	for i, v := range p.vars {
		if _, ok := p.takes[i]; !ok {
			report.Untouched = append(report.Untouched, v.name)
		}
	}
	slices.Sort(report.Untouched)
	for _, name := range p.src.Names() {
		if !used[name] && name != trackable.GraphKey {
			report.Unused = append(report.Unused, name)
		}
	}
}

// targets is a root that leads to the objects which get something, and to
// nothing else.
type targets struct {
	children []trackable.Child
	names    map[string]bool
}

func (t *targets) TrackableChildren() []trackable.Child { return t.children }

// add names an object as its variable is named, which is what errors say, or
// by its path if that is taken.
func (t *targets) add(o trackable.Owner, name string) {
	if t.names == nil {
		t.names = make(map[string]bool)
	}
	for t.names[name] {
		name = o.Path + " " + name
	}
	t.names[name] = true
	t.children = append(t.children, trackable.Child{Name: name, Object: o.Object})
}
