// Package tfexact switches on the one mode in which nothing is done better
// than in TensorFlow. It is for the test that holds both side by side. The
// mode loses data where TensorFlow does, and its package is internal so that
// no user's program can ask for it.
package tfexact

// Mode is whether TensorFlow's behaviour is copied where we differ from it on
// purpose. The zero Mode, which is all that a user can have, is off.
type Mode struct{ on bool }

// On returns the mode for the test.
func On() Mode { return Mode{on: true} }

// On reports whether the mode is on.
func (m Mode) On() bool { return m.on }
