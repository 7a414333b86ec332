// Package trackable turns a graph of objects into named tensors and back, as
// TensorFlow's object-based checkpoints do. It does no input or output: Save
// yields tensors, Restore reads a format.Source.
//
// A program's state is a graph. Its edges have names (Object); some of its
// nodes own tensors (Saveable). A tensor's key is the first, shortest path to
// its object:
//
//	root ── "layers" ── "0" ── "kernel"     layers/0/kernel/.ATTRIBUTES/VARIABLE_VALUE
//
// and the graph itself is saved beside the tensors, under GraphKey, so that
// restoring matches edge by edge and not key by key: an object that moved but
// kept its name in its parent is still found.
//
// Three ways to make such a graph, which mix freely:
//
//   - Struct(&model) takes any Go struct by reflection, as encoding/json does.
//   - Node, List, Dict and Variable are objects to build one from.
//   - A type of your own implements Object, and Saveable if it owns tensors.
//
// Restore changes nothing before every name, dtype, shape and checksum is
// verified. What the checkpoint holds for objects that do not exist yet waits
// in their parent, and Node.Track gives it to them. LoadStatus tells what
// matched.
//
// A graph is not safe for use by several goroutines at once; two graphs that
// share no object are.
package trackable
