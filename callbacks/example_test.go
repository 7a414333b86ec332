package callbacks_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// A plain loop is interrupted in the midst of an epoch. Run again, it goes on
// at the next batch.
func Example() {
	ctx, backups, files := context.Background(), mem.Dir(), mem.Dir()
	const epochs, batches = 2, 3

	train := func(interruptAfter int) error {
		weights := trackable.NewVariable("w", []int64{2}, []float32{0, 0})
		best, err := callbacks.NewModelCheckpoint(files, "cp-{epoch:02d}-{val_loss:.2f}", weights,
			&callbacks.ModelCheckpointOptions{SaveBestOnly: true, MaxToKeep: 5})
		if err != nil {
			return err
		}
		backup, err := callbacks.NewBackupAndRestore(backups, checkpoint.Objects{"weights": weights},
			&callbacks.BackupOptions{Every: schedule.Steps(2)})
		if err != nil {
			return err
		}
		defer func() { _ = backup.Close(ctx) }() // which the end of a process does anyway

		all := callbacks.List{backup, best}
		if err := all.OnTrainBegin(ctx); err != nil {
			return err
		}
		epoch, batch := backup.Position()
		fmt.Printf("begin at epoch %d, batch %d, with weights %v\n", epoch, batch, weights.Value)
		for ; epoch < epochs; epoch++ {
			if err := all.OnEpochBegin(ctx, epoch); err != nil {
				return err
			}
			for ; batch < batches; batch++ {
				if interruptAfter--; interruptAfter < 0 {
					return errors.New("interrupted")
				}
				weights.Value[0]++ // training
				if err := all.OnBatchEnd(ctx, batch, nil); err != nil {
					return err
				}
			}
			batch = 0
			valLoss := 1 / float64(weights.Value[0])
			if err := all.OnEpochEnd(ctx, epoch, callbacks.Logs{"val_loss": valLoss}); err != nil {
				return err
			}
		}
		return all.OnTrainEnd(ctx)
	}

	fmt.Println(train(5))
	if err := train(100); err != nil {
		log.Fatal(err)
	}
	for info, err := range files.List(ctx, "") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.Name)
	}
	// Output:
	// begin at epoch 0, batch 0, with weights [0 0]
	// interrupted
	// begin at epoch 1, batch 1, with weights [4 0]
	// checkpoint
	// cp-01-0.33.data-00000-of-00001
	// cp-01-0.33.index
	// cp-01-0.33.receipt.json
	// cp-02-0.17.data-00000-of-00001
	// cp-02-0.17.index
	// cp-02-0.17.receipt.json
}
