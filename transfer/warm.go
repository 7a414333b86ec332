package transfer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// WarmStartOptions say which variables start from a checkpoint, and how. Nil
// and zero values are the defaults.
type WarmStartOptions struct {
	// VarsToWarmStart are regular expressions, each for the beginning of a
	// variable's name. Nil: all variables but optimizers' slots, which stands
	// for TensorFlow's "trainable". (TensorFlow: vars_to_warm_start)
	VarsToWarmStart []string
	// VocabOnly starts of those only the variables that have a VocabInfo.
	// (TensorFlow: vars_to_warm_start=None)
	VocabOnly bool
	// VarNameToVocabInfo has the vocabularies, by the variable's name.
	// (TensorFlow: var_name_to_vocab_info)
	VarNameToVocabInfo map[string]VocabInfo
	// VarNameToPrevVarName has the names in the checkpoint of variables that
	// were called otherwise. (TensorFlow: var_name_to_prev_var_name)
	VarNameToPrevVarName map[string]string
	// Restore has Attached, Mode and StageLimit.
	Restore trackable.RestoreOptions
}

// WarmStart gives the variables of the objects that root leads to the values
// that variables of their names have in src. One that src has not is an error,
// and so is a name in the options that no variable takes: it would be a typing
// error that goes unnoticed. Errors are told all at once, and change nothing.
// In an object-based checkpoint a variable is found by its full name.
// (TensorFlow: tf.compat.v1.train.warm_start)
func WarmStart(root trackable.Object, src format.Source, o *WarmStartOptions) (*Report, error) {
	if o == nil {
		o = new(WarmStartOptions)
	}
	p, err := newPlan(root, src, &o.Restore)
	if err != nil {
		return nil, fmt.Errorf("warm start: %w", err)
	}
	patterns, err := prefixes(o.VarsToWarmStart)
	if err != nil {
		return nil, fmt.Errorf("warm start: %w", err)
	}
	started := make(map[string]bool)
	for i, v := range p.vars {
		if !p.selected(i, patterns) {
			continue
		}
		started[v.name] = true
		p.warm(i, o)
	}
	p.unused("VarNameToVocabInfo", slices.Sorted(maps.Keys(o.VarNameToVocabInfo)), started)
	p.unused("VarNameToPrevVarName", slices.Sorted(maps.Keys(o.VarNameToPrevVarName)), started)
	report, err := p.apply(&o.Restore)
	if err != nil {
		return nil, fmt.Errorf("warm start: %w", err)
	}
	return report, nil
}

// prefixes compiles patterns that match the beginning of a name, as
// TensorFlow's collections do (framework/ops.py, get_collection). Nil stays
// nil.
func prefixes(patterns []string) ([]*regexp.Regexp, error) {
	if patterns == nil {
		return nil, nil
	}
	compiled := []*regexp.Regexp{}
	for _, pattern := range patterns {
		r, err := regexp.Compile("^(?:" + pattern + ")")
		if err != nil {
			return nil, fmt.Errorf("VarsToWarmStart: %w", err)
		}
		compiled = append(compiled, r)
	}
	return compiled, nil
}

func (p *plan) selected(v int, patterns []*regexp.Regexp) bool {
	if patterns == nil {
		return !p.owners[p.vars[v].owner].Slot
	}
	return slices.ContainsFunc(patterns, func(r *regexp.Regexp) bool { return r.MatchString(p.vars[v].name) })
}

// warm plans one variable.
func (p *plan) warm(v int, o *WarmStartOptions) {
	name := p.vars[v].name
	from := name
	if prev, ok := o.VarNameToPrevVarName[name]; ok {
		from = prev
	}
	vocab, ok := o.VarNameToVocabInfo[name]
	switch {
	case ok:
		p.take(v, from, nil, &vocab)
	case !o.VocabOnly:
		p.take(v, from, nil, nil)
	}
}

// unused refuses names that no variable has taken.
func (p *plan) unused(option string, names []string, started map[string]bool) {
	for _, name := range names {
		if !started[name] {
			p.problem("%s names %q, which is not among the variables to start", option, name)
		}
	}
}
