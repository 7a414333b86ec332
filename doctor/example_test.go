package doctor_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func Example() {
	ctx, dir := context.Background(), mem.Dir() // or local.Dir("run-1")
	if err := trained(ctx, dir, 3, &checkpoint.ManagerOptions{MaxToKeep: 2}); err != nil {
		log.Fatal(err)
	}
	if err := storage.WriteFile(ctx, dir, "checkpoint", nil); err != nil { // a disk that was full
		log.Fatal(err)
	}
	report, err := doctor.Examine(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Findings {
		fmt.Printf("%v: %s\n  because %s\n  fix: %s\n", f.Severity, f.What, f.Why, f.Fix)
	}
	after, err := report.Fix(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mended %d, left %d\n", len(after.Mended), len(after.Findings))
	fmt.Println(checkpoint.Latest(ctx, dir))
	// Output:
	// problem: the state file is empty
	//   because checkpoint: not a state file: it names no model_checkpoint_path
	//   fix: writes one that names ckpt-3 and lists 2 checkpoints, and keeps the old file beside
	// mended 1, left 0
	// ckpt-3 <nil>
}
