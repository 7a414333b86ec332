// Package experiment keeps runs side by side: each is a directory with its
// checkpoints and a small file, run.json, that tells what it was given and
// where it came from. `ckpt runs` lists and compares them.
//
// A program that trains begins its run, saves into its directory, and says
// when it is done:
//
//	run, err := experiment.Open(local.Dir("runs")).Begin(ctx, "lr-0.1", &experiment.RunOptions{
//		Params: map[string]any{"lr": 0.1}})
//	m, err := checkpoint.NewManager(ctx, c, run.Dir(), run.ManagerOptions(nil))
//	...
//	err = run.Finish(ctx, failed)
package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
)

// recordName is the file that makes a directory a run.
const recordName = "run.json"

// Experiment is a directory of runs.
type Experiment struct{ root storage.Dir }

// Open returns the experiment in root, which need not exist.
func Open(root storage.Dir) *Experiment { return &Experiment{root} }

// RunOptions are about a run that begins. Nil and zero values tell nothing.
type RunOptions struct {
	Tags []string // what people call it
	// Params are what the run was given: strings, booleans, numbers, and
	// what else JSON holds. They do not change: Begin refuses others.
	Params map[string]any
	// From is the checkpoint it goes on from, where not RestoreFrom but
	// something else has restored it.
	From *Origin
	// Revision is the version of the program's source. Default:
	// checkpoint.BuildRevision.
	Revision *checkpoint.Revision
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Create begins the new run name, a directory of the experiment; slashes make
// a run of a group. A run that exists is an error that wraps fs.ErrExist.
func (e *Experiment) Create(ctx context.Context, name string, o *RunOptions) (*Run, error) {
	if _, err := e.read(ctx, name); err == nil {
		return nil, fmt.Errorf("create run %s: %w", name, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create run %s: %w", name, err)
	}
	r, err := e.create(ctx, name, o)
	if err != nil {
		return nil, fmt.Errorf("create run %s: %w", name, err)
	}
	return r, nil
}

// Begin is Create where there is no such run, and goes on with one that is
// there: for programs that are started again until they are done. Tags and
// From are only of a new run; other Params than the run's are an error.
func (e *Experiment) Begin(ctx context.Context, name string, o *RunOptions) (*Run, error) {
	r, err := e.read(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r, err = e.create(ctx, name, o)
	case err == nil:
		err = r.resume(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("begin run %s: %w", name, err)
	}
	return r, nil
}

// Run returns the run name as it is, to read it or to restore from it.
func (e *Experiment) Run(ctx context.Context, name string) (*Run, error) {
	r, err := e.read(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	return r, nil
}

func (e *Experiment) read(ctx context.Context, name string) (*Run, error) {
	if err := storage.CheckName("open", name); err != nil {
		return nil, err
	}
	dir := storage.Sub(e.root, name)
	record, err := readRecord(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Run{name: name, dir: dir, now: time.Now, record: record}, nil
}

func (e *Experiment) create(ctx context.Context, name string, o *RunOptions) (*Run, error) {
	if err := storage.CheckName("create", name); err != nil {
		return nil, err
	}
	if o == nil {
		o = new(RunOptions)
	}
	params, err := o.params()
	if err != nil {
		return nil, err
	}
	r := &Run{name: name, dir: storage.Sub(e.root, name), now: o.clock()}
	r.record = Record{schema: recordSchema, Created: r.now().UTC(), Tags: slices.Clone(o.Tags), Params: params}
	if o.From != nil {
		from := *o.From
		r.record.From = &from
	}
	return r, r.start(ctx, o)
}

// resume notes that r goes on, here and now.
func (r *Run) resume(ctx context.Context, o *RunOptions) error {
	if o == nil {
		o = new(RunOptions)
	}
	params, err := o.params()
	if err != nil {
		return err
	}
	if err := sameParams(r.record.Params, params); o.Params != nil && err != nil {
		return err
	}
	r.now = o.clock()
	return r.start(ctx, o)
}

func (r *Run) start(ctx context.Context, o *RunOptions) error {
	return r.change(ctx, func(record *Record) {
		record.Status, record.Error = Running, ""
		record.Started, record.Finished = r.now().UTC(), time.Time{}
		// A host without a name is no reason not to train.
		record.Host, _ = os.Hostname()
		record.PID = os.Getpid()
		revision := o.Revision
		if revision == nil {
			built := checkpoint.BuildRevision()
			revision = &built
		}
		record.Commit, record.Dirty = revision.Commit, revision.Dirty
	})
}

func (o *RunOptions) clock() func() time.Time {
	if o.Now != nil {
		return o.Now
	}
	return time.Now
}
