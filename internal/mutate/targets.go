package main

// target are files whose ordering, flushes and checks each need a test.
type target struct {
	files []string // globs, below the root; tests are left out
	calls []string // of these functions and methods the error is all that counts
	sums  bool     // comparisons of checksums, and of sizes that a file tells
}

// flushing are the calls that make something durable, visible or gone.
var flushing = []string{
	"Sync", "SyncDir", "flush", "flushAll", "flushDirOf", "flushDirsOf", "flushRemoved",
	"Rename", "Link", "Unlink", "Commit", "Publish", "publish", "publishNew", "publishWave", "publishData", "copyBack",
	"CommitAll", "RemoveAll", "Remove", "WriteFile", "WriteFileSoon", "WriteReceipt", "writeReceiptSoon", "WriteState", "WriteNew",
	"Settle", "SettleAt", "TryLock", "Truncate",
}

// targets is the code that publishes, sweeps, settles and checks.
var targets = []target{
	{files: []string{"storage/local/*.go"}, calls: flushing},
	{files: []string{"storage/*.go"}, calls: flushing},
	{files: []string{"internal/publish/*.go"}, calls: append([]string{"fits", "createState", "writeState"}, flushing...)},
	{files: []string{"internal/shelf/*.go"}, calls: flushing, sums: true},
	{files: []string{"internal/dirlock/*.go"}, calls: append([]string{"Unlock"}, flushing...)},
	{files: []string{"internal/fence/*.go"}, calls: append([]string{"enter", "leave", "may", "renew", "withdraw", "lastBreath"}, flushing...)},
	{
		files: []string{"checkpoint/manager*.go", "checkpoint/orphan.go", "checkpoint/plainsave.go", "checkpoint/remove*.go", "checkpoint/pin.go", "checkpoint/reject.go", "checkpoint/state.go", "checkpoint/lease*.go"},
		calls: append([]string{"Free", "stillThere", "unlist", "record"}, flushing...),
	},
	{
		files: []string{"checkpoint/quarantine*.go", "checkpoint/repair.go", "checkpoint/mending.go", "checkpoint/receipt*.go", "checkpoint/verify.go", "checkpoint/verify_quick.go", "checkpoint/verify_graph.go", "checkpoint/verify_tensors.go", "checkpoint/doubt.go"},
		calls: append([]string{"Free", "unlist", "writeCause", "fits"}, flushing...), sums: true,
	},
	{files: []string{"doctor/*.go"}, calls: append([]string{"Free"}, flushing...)},
	{files: []string{"checkpoint/plan.go"}, calls: []string{"check", "doAlone"}},
	{files: []string{"trackable/stage.go", "trackable/restore.go"}, calls: []string{"verify", "verifyEach", "Verify", "checkValues", "settle"}},
	{files: []string{"format/tensorbundle/*.go", "internal/table/*.go", "internal/parity/*.go"}, sums: true},
}

// tested are the packages whose tests are to notice.
var tested = []string{
	"storage", "storage/local", "internal/publish", "internal/shelf", "internal/dirlock", "internal/fence",
	"format/tensorbundle", "internal/table", "internal/parity", "trackable", "checkpoint", "doctor",
}
