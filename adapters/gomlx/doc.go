// Package gomlx saves and restores what GoMLX trains: New makes a model.Store
// a trackable.Object.
//
//	store := model.NewStore()
//	c := checkpoint.New(nil, checkpoint.Objects{"model": gomlx.New(store, nil)}, nil)
//	m, err := checkpoint.NewManager(ctx, c, local.Dir("run-1"), nil)
//	path, err := m.RestoreOrInitialize(ctx) // before the model is built, or after
//
// # What is saved
//
// Every variable of the store: weights, the optimizer's state and step,
// "global_step" and the random state "#rngState". Each segment of a variable's
// path is an edge of the object graph, so that "/hidden/dense/weights" of the
// store above is stored as
//
//	model/hidden/dense/weights/.ATTRIBUTES/VARIABLE_VALUE
//
// and has the full name "hidden/dense/weights". Edges are sorted by name: equal
// stores give equal files, in whatever order their variables were created.
//
// The variables of metrics are left out: they live as long as one evaluation,
// under a name that is random. See Options.Skip. Parameters (Store.SetParam)
// are not saved, since the program sets them.
//
// # Restoring before the model is built
//
// GoMLX creates variables while it builds the graph, which most programs do in
// the first training step. Restoring before that restores what exists and
// keeps the rest waiting. New therefore sets a model.Loader, which GoMLX asks
// for the value of each variable that it is about to create. A loader that was
// set before is asked first; one set later should ask ours.
//
// # Training loops
//
// NewLoop returns GoMLX's own loop with the callbacks of package callbacks
// attached: files of the best model, and backups from which an interrupted
// training goes on at the next step.
//
// # Memory
//
// Values are saved from the memory in which the backend keeps them, if it is
// the computer's own, without a copy. A save must not run beside a training
// step, therefore; an asynchronous one copies the values before it returns.
//
// # Dtypes
//
// Integers of 2 and 4 bits, which GoMLX packs, take a byte each in a checkpoint,
// as in TensorFlow. What TensorFlow has no number for (integers of 1 bit) and
// what GoMLX cannot hold (floats of 8 bits, strings) is an error that names the
// variable.
package gomlx
