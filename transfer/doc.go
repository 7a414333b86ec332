// Package transfer starts a model from the values of another: the transfer
// learning of TensorFlow 1, for any format.Source and any objects.
//
// There are two ways, which can be joined. A Source can be made into another:
// Rename gives its tensors other names, Subtree takes a part of its object
// graph, FullNames undoes what TensorFlow 2's keys look like. And objects can
// be filled by their variables' names: InitFromCheckpoint by an assignment
// map, WarmStart by regular expressions and vocabularies.
//
// A variable's name is its full name (trackable.Variable.Name) or, where it
// has none, its path from the root, "encoder/kernel".
//
// All or nothing: everything is matched, read and verified before the first
// value changes, and all that does not fit is told in one error. What was done
// is a Report.
package transfer
