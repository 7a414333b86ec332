package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Assignment says what of a checkpoint goes where. One of From and Match is
// set, and one of To and Object.
type Assignment struct {
	// From is the name of a tensor: its key or, in an object-based checkpoint,
	// its full name, or its variable's path. Or it is a scope, "old/", or "/",
	// which is all: then To is a scope, and every variable in it takes the
	// tensor of its name with the scope exchanged.
	From string
	// Match is a pattern for the whole names of tensors. To is then the name
	// of the variable, with $1 and ${name} for what groups have matched
	// (regexp.Regexp.Expand); tensors without such a variable are not used.
	Match *regexp.Regexp
	// To is the name of a variable, or a scope.
	To string
	// Object is the variable itself, whatever its name is.
	Object trackable.Object
	// Slice is the region of the tensor that the variable takes, if it is one
	// part of a variable that was whole when it was stored.
	Slice *tensor.Slice
}

// AssignmentMap is a list of assignments. Of several for one variable the
// last wins, in the order of From; patterns come before all others.
type AssignmentMap []Assignment

// Names returns the AssignmentMap of TensorFlow's usual form: from names or
// scopes of a checkpoint to those here.
func Names(m map[string]string) AssignmentMap {
	var list AssignmentMap
	for from, to := range m {
		list = append(list, Assignment{From: from, To: to})
	}
	return list
}

// InitFromCheckpoint gives variables of the objects that root leads to values
// of src, as the map says. What the map does not name keeps its value. It is
// an error if a tensor, a variable or a scope of the map does not exist, or a
// shape or dtype does not fit; all of that is told at once, and nothing is
// changed. Of o it is Attached, Mode and StageLimit that count.
//
// TensorFlow's sets initializers, which run later, and takes some typing errors
// for scopes. (TensorFlow: tf.compat.v1.train.init_from_checkpoint)
func InitFromCheckpoint(root trackable.Object, src format.Source, m AssignmentMap, o *trackable.RestoreOptions) (*Report, error) {
	if o == nil {
		o = new(trackable.RestoreOptions)
	}
	p, err := newPlan(root, src, o)
	if err != nil {
		return nil, fmt.Errorf("init from checkpoint: %w", err)
	}
	sorted := slices.Clone(m)
	slices.SortStableFunc(sorted, func(a, b Assignment) int { return cmp.Compare(a.From, b.From) })
	for _, a := range sorted {
		p.assign(a)
	}
	report, err := p.apply(o)
	if err != nil {
		return nil, fmt.Errorf("init from checkpoint: %w", err)
	}
	return report, nil
}

// assign plans one assignment.
func (p *plan) assign(a Assignment) {
	switch {
	case (a.From == "") == (a.Match == nil):
		p.problem("assignment to %q: want one of From and Match", a.To)
	case (a.To == "") == (a.Object == nil):
		p.problem("assignment from %q: want one of To and Object", a.From)
	case a.Match != nil:
		p.assignMatching(a)
	case a.Object != nil:
		v, err := p.ofObject(a.Object)
		p.assignOne(v, err, a)
	default:
		v, err := p.named(a.To)
		if v < 0 && err == nil {
			p.assignScope(a)
			return
		}
		p.assignOne(v, err, a)
	}
}

func (p *plan) assignOne(v int, err error, a Assignment) {
	if err != nil {
		p.problems = append(p.problems, err)
		return
	}
	p.take(v, a.From, a.Slice, nil)
}

// assignScope plans "old/" to "new/" (checkpoint_utils.py,
// _init_from_checkpoint).
func (p *plan) assignScope(a Assignment) {
	switch {
	case !strings.HasSuffix(a.To, "/"):
		p.problem("variable %q: is not here (a scope's name ends in \"/\")", a.To)
		return
	case !strings.HasSuffix(a.From, "/"):
		p.problem("scope %q: takes a scope too, want %q", a.To, a.From+"/")
		return
	case a.Slice != nil:
		p.problem("scope %q: takes no slice", a.To)
		return
	}
	found := false
	scope := strings.TrimPrefix(a.To, "/") // "/" is all
	for i, v := range p.vars {
		rest, in := strings.CutPrefix(v.name, scope)
		if !in {
			continue
		}
		found = true
		p.take(i, strings.TrimPrefix(a.From, "/")+rest, nil, nil)
	}
	if !found {
		p.problem("scope %q: has no variables", a.To)
	}
}

// assignMatching plans a pattern.
func (p *plan) assignMatching(a Assignment) {
	if a.Object != nil || a.Slice != nil {
		p.problem("pattern %q: goes to names, want To and no Slice", a.Match)
		return
	}
	// Not the beginning of a name that is longer, whichever way the pattern
	// could be matched.
	whole, err := regexp.Compile("^(?:" + a.Match.String() + ")$")
	if err != nil {
		p.problem("pattern %q: %w", a.Match, err)
		return
	}
	from := make(map[int]string)
	matched := false
	for _, name := range p.storedNames() {
		at := whole.FindStringSubmatchIndex(name)
		if at == nil {
			continue
		}
		matched = true
		p.takeMatch(a, name, string(whole.ExpandString(nil, a.To, name, at)), from)
	}
	switch {
	case !matched:
		p.problem("pattern %q: %w", a.Match, errNoMatch)
	case len(from) == 0:
		p.problem("pattern %q: no variable has a name as %q makes them", a.Match, a.To)
	}
}

// takeMatch gives the variable to, if there is one, the tensor name, unless
// that is another name of the one it has from there already.
func (p *plan) takeMatch(a Assignment, name, to string, from map[int]string) {
	v, err := p.named(to)
	if err != nil {
		p.problems = append(p.problems, err)
	}
	if v < 0 {
		return
	}
	switch first, twice := from[v]; {
	case !twice:
		from[v] = name
		p.take(v, name, nil, nil)
	case p.key(first) != p.key(name):
		p.problem("variable %q: pattern %q gives it both %q and %q", p.vars[v].name, a.Match, first, name)
	}
}

var errNoMatch = errors.New("no tensor of the checkpoint has such a name")

// storedNames returns what tensors of the checkpoint can be called, in an
// order that does not change.
func (p *plan) storedNames() []string {
	names := slices.Clone(p.src.Names())
	for name := range p.aliases {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
