// Package checkpoint saves and restores the state of a training program in
// TensorFlow's own files, and keeps the directory they lie in tidy: read
// package and name together, checkpoint.Manager is tf.train.CheckpointManager.
//
// # The files of a directory
//
//	checkpoint                       the state file: which is the newest, which are managed
//	ckpt-7.index                     the table of contents; the checkpoint exists from here on
//	ckpt-7.data-00000-of-00001       the tensors' bytes
//	ckpt-7.receipt.json              ours: metrics, step, sizes and checksums; see Receipt
//	ckpt-7.parity-*                  ours: of data and index, with Options.Parity; see Repair
//	ckpt-7.recovery.*                ours: what ckpt-7 was, while its number is overwritten
//	.ckpt.quarantine/ckpt-7/*        ours: a broken ckpt-7 that was put aside; see Quarantine
//	.ckpt.leases/ckpt-7@*.json       ours: somebody is reading ckpt-7; see TakeLease
//
// A checkpoint's name relative to its directory, "ckpt-7", is called path
// everywhere. TensorFlow's manager returns "directory/ckpt-7" instead; here the
// directory is a storage.Dir, and nothing breaks when it is moved.
//
// # What a save promises
//
// When Save or Write returns nil, the checkpoint survives loss of power. A
// crash at any moment leaves the checkpoint before or the new one, complete.
// The order that makes it so, each step durable before the next begins:
//
//  1. data, parity and receipt
//  2. the index
//  3. the state file
//  4. removal of the surplus checkpoints' indexes, then of their other files
//  5. the state file without them
//
// One process writes to a directory at a time, by a lock that is taken at the
// first write; readers need none.
package checkpoint
