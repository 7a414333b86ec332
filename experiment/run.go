package experiment

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Run is one run of an experiment. Its methods may be called by several
// goroutines; of several processes that change a record the last one wins.
type Run struct {
	name string
	dir  storage.Dir
	now  func() time.Time

	mu     sync.Mutex
	record Record
}

// Name returns the name of the run in its experiment.
func (r *Run) Name() string { return r.name }

// Dir returns where the run's checkpoints are, for checkpoint.NewManager.
func (r *Run) Dir() storage.Dir { return r.dir }

// Record returns what run.json tells, as far as this Run knows.
func (r *Run) Record() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record.clone()
}

// ManagerOptions returns a copy of o, which may be nil, that makes receipts
// name the run and the revision it was begun with.
func (r *Run) ManagerOptions(o *checkpoint.ManagerOptions) *checkpoint.ManagerOptions {
	var own checkpoint.ManagerOptions
	if o != nil {
		own = *o
	}
	record := r.Record()
	own.Run = r.name
	own.Revision = &checkpoint.Revision{Commit: record.Commit, Dirty: record.Dirty}
	return &own
}

// change writes run.json as do leaves it. If that fails nothing has changed.
func (r *Run) change(ctx context.Context, do func(*Record)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.record.clone()
	do(&next)
	text, err := next.text()
	if err != nil {
		return fmt.Errorf("%s: %w", recordName, err)
	}
	if err := storage.WriteFile(ctx, r.dir, recordName, text); err != nil {
		return err
	}
	r.record = next
	return nil
}

// Tag adds tags to the run.
func (r *Run) Tag(ctx context.Context, tags ...string) error {
	err := r.change(ctx, func(record *Record) {
		for _, tag := range tags {
			if !slices.Contains(record.Tags, tag) {
				record.Tags = append(record.Tags, tag)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("tag run %s: %w", r.name, err)
	}
	return nil
}

// Finish records that the run has ended, and with failed not nil, that it
// failed and why.
func (r *Run) Finish(ctx context.Context, failed error) error {
	err := r.change(ctx, func(record *Record) {
		record.Status, record.Error, record.Finished = Finished, "", r.now().UTC()
		if failed != nil {
			record.Status, record.Error = Failed, failed.Error()
		}
	})
	if err != nil {
		return fmt.Errorf("finish run %s: %w", r.name, err)
	}
	return nil
}

// RestoreFrom restores m's objects from a checkpoint of another run, its
// latest if path is "", and records where this run goes on from, in run.json
// and in the receipts of m's saves. Restored objects are as after
// checkpoint.Checkpoint.Restore.
func (r *Run) RestoreFrom(ctx context.Context, m *checkpoint.Manager, other *Run, path string) (*trackable.LoadStatus, error) {
	status, err := r.restoreFrom(ctx, m, other, path)
	if err != nil {
		return nil, fmt.Errorf("run %s: restore from %s: %w", r.name, other.name, err)
	}
	return status, nil
}

func (r *Run) restoreFrom(ctx context.Context, m *checkpoint.Manager, other *Run, path string) (*trackable.LoadStatus, error) {
	if path == "" {
		latest, err := checkpoint.Latest(ctx, other.dir)
		if err != nil {
			return nil, err
		}
		path = latest
	}
	from := Origin{Run: other.name, Path: path}
	// A checkpoint without a receipt has no step to tell.
	if receipt, err := checkpoint.ReadReceipt(ctx, other.dir, path); err == nil {
		from.Step = receipt.Step
	}
	status, err := m.Checkpoint().Restore(ctx, other.dir, path)
	if err != nil {
		return nil, err
	}
	if err := r.change(ctx, func(record *Record) { record.From = &from }); err != nil {
		return nil, err
	}
	m.ContinueFrom(from.String())
	return status, nil
}
