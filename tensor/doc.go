// Package tensor holds one value: a dtype, a shape and the elements'
// little-endian, row-major bytes, as TensorFlow's files store them.
//
// A Tensor is an immutable view. Making one of a []float32, and taking the
// []float32 out again, copies nothing; Clone is the only function here that
// copies a whole value unasked.
package tensor
