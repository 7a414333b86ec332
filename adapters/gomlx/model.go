package gomlx

import (
	"strings"

	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/gomlx/gomlx/ml/model"
)

// Model is the variables of a model.Store as objects of a checkpoint. Like a
// Store, it is not safe for use by several goroutines at once.
// (TensorFlow: tf.Module)
type Model struct {
	place // the store's root scope
	store *model.Store
	skip  func(path string) bool
	next  model.Loader // the one that New found
}

// Options changes what New makes. Nil and the zero value are the defaults.
type Options struct {
	// Skip says which variables, by their path in the store such as
	// "/hidden/dense/weights", are neither saved nor restored.
	// The default is SkipMetrics.
	Skip func(path string) bool
}

// SkipMetrics is true of the variables in which GoMLX keeps the averages of
// metrics. Their scopes have another random name in each process, so that no
// other process could restore them.
func SkipMetrics(path string) bool { return strings.HasPrefix(path, "/metrics/") }

const randomState = model.RootScopePath + model.RNGStateVariableName

// New returns store's variables, those still to be created included, as an
// object to save and restore. It sets the store's loader.
func New(store *model.Store, o *Options) *Model {
	m := &Model{store: store, skip: SkipMetrics, next: store.Loader()}
	if o != nil && o.Skip != nil {
		m.skip = o.Skip
	}
	store.SetLoader((*loader)(m))
	return m
}

// TrackableChildren lists the scopes and variables at the store's root, sorted
// by name.
//
// Every save and restore begins here, and so this is where the tree is made to
// agree with the store.
func (m *Model) TrackableChildren() []trackable.Child {
	m.seedRandomState()
	m.clear()
	for v := range m.store.IterVariables() {
		if !m.skip(v.Path()) {
			m.at(v.Path()).variable = v
		}
	}
	m.link()
	return m.place.TrackableChildren()
}

// seedRandomState creates the store's random state if it has none, as GoMLX
// does when it is first drawn from. Left to wait for the loader, it would come
// to be a trainable variable, which that of GoMLX's own making is not, and the
// optimizer would train the random numbers.
func (m *Model) seedRandomState() {
	if m.skip(randomState) {
		return
	}
	for v := range m.store.IterVariables() {
		if v.Path() == randomState {
			return
		}
	}
	_ = m.store.ResetRNGState() // failing, it leaves a variable without value, which saving tells
}

// at returns the place of a path, which it makes where there is none.
func (m *Model) at(path string) *place {
	p := &m.place
	for _, name := range split(path) {
		p = p.child(name)
	}
	return p
}
