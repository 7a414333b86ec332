// Package graphs builds object graphs from the JSON descriptions that
// interop/py/graphs.py documents. TensorFlow builds and saves the same
// descriptions, so that a test can ask both sides for the bytes of one graph.
//
// The graphs are made of what a program would use: Variables, Lists, Dicts,
// Nodes, States, and two types of this package's own: one with several
// tensors and one with slots.
package graphs
