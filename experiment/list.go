package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// atOnce bounds how many runs are read at the same time.
const atOnce = 8

// ListOptions change what Runs finds out.
type ListOptions struct {
	// Metric is what the best checkpoint is the best by. It takes reading
	// every receipt; "" reads that of each run's newest checkpoint only.
	Metric  string
	Highest bool // the highest is the best, not the lowest
}

// Listing is a run as Runs finds it.
type Listing struct {
	Name     string
	Recorded bool   // it has a run.json; otherwise only checkpoints
	Record   Record // zero if Err says why
	Err      error  // what of the run cannot be read

	Checkpoints int
	Bytes       int64               // of all checkpoints; what several share, once
	Newest      *checkpoint.Listing // nil: none
	Best        *checkpoint.Listing // by ListOptions.Metric; nil: none has it
}

// Runs returns the runs of the experiment, sorted by name: the directories
// with a run.json, and those with a state file of checkpoints that nobody
// recorded. A run that cannot be read is among them and says why.
//
// It lists the experiment once; of each run it opens run.json, the state file,
// what may be V1 checkpoints by their names, and the newest receipt.
func (e *Experiment) Runs(ctx context.Context, o *ListOptions) ([]Listing, error) {
	if o == nil {
		o = new(ListOptions)
	}
	files, err := e.files(ctx)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	runs := runsIn(files)
	list := make([]Listing, len(runs))
	free := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, name := range runs {
		free <- struct{}{}
		wg.Go(func() {
			list[i] = e.listing(ctx, name, files, o)
			<-free
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return list, nil
}

func (e *Experiment) files(ctx context.Context) ([]storage.Info, error) {
	var files []storage.Info
	for info, err := range e.root.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		files = append(files, info)
	}
	return files, nil
}

// runsIn returns the names of the runs that files make.
func runsIn(files []storage.Info) []string {
	found := make(map[string]bool)
	for _, info := range files {
		i := strings.LastIndexByte(info.Name, '/')
		if base := info.Name[i+1:]; i > 0 && (base == recordName || base == filename.State) {
			found[info.Name[:i]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (e *Experiment) listing(ctx context.Context, name string, files []storage.Info, o *ListOptions) Listing {
	l := Listing{Name: name}
	dir := &listed{Dir: storage.Sub(e.root, name), files: below(files, name)}
	var err error
	if l.Record, err = readRecord(ctx, dir); err == nil {
		l.Recorded = true
	} else if !errors.Is(err, fs.ErrNotExist) {
		l.Recorded, l.Err = true, err
	}
	found, err := checkpoint.List(ctx, dir, &checkpoint.ListOptions{Receipts: o.Metric != ""})
	if err != nil {
		l.Err = errors.Join(l.Err, err)
		return l
	}
	for i, c := range found {
		l.Checkpoints++
		if c.Latest {
			l.Newest = &found[i]
		}
	}
	l.Bytes = checkpoint.TotalSize(found)
	if o.Metric != "" {
		l.judge(found, o)
	} else {
		l.readNewest(ctx, dir)
	}
	return l
}

// readNewest reads the receipt of the newest checkpoint.
func (l *Listing) readNewest(ctx context.Context, dir storage.Dir) {
	if l.Newest == nil || !l.Newest.HasReceipt {
		return
	}
	r, err := checkpoint.ReadReceipt(ctx, dir, l.Newest.Path)
	if err != nil {
		l.Newest.ReceiptErr = err
		return
	}
	l.Newest.Receipt, l.Newest.Time = &r, r.Time
}

// judge finds the best checkpoint; of equals the older. One whose metric is
// not a number is no candidate.
func (l *Listing) judge(found []checkpoint.Listing, o *ListOptions) {
	best := math.NaN()
	for i, c := range found {
		if c.Receipt == nil {
			continue
		}
		v, ok := c.Receipt.Metrics[o.Metric]
		if !ok || math.IsNaN(v) {
			continue
		}
		if l.Best == nil || o.Highest && v > best || !o.Highest && v < best {
			l.Best, best = &found[i], v
		}
	}
}

// Ancestors returns where the run name came from: the checkpoint it went on
// from, the one that that one's run went on from, and so on, nearest first.
func Ancestors(list []Listing, name string) []Origin {
	byName := make(map[string]*Origin, len(list))
	for i := range list {
		byName[list[i].Name] = list[i].Record.From
	}
	var chain []Origin
	seen := map[string]bool{name: true}
	for from := byName[name]; from != nil; from = byName[from.Run] {
		chain = append(chain, *from)
		if seen[from.Run] {
			break // somebody edited a record
		}
		seen[from.Run] = true
	}
	return chain
}

// below returns the files, sorted by name, of the directory name, as seen
// from it.
func below(files []storage.Info, name string) []storage.Info {
	prefix := name + "/"
	first, _ := slices.BinarySearchFunc(files, prefix, func(f storage.Info, p string) int { return strings.Compare(f.Name, p) })
	var own []storage.Info
	for _, f := range files[first:] {
		rest, ok := strings.CutPrefix(f.Name, prefix)
		if !ok {
			break
		}
		f.Name = rest
		own = append(own, f)
	}
	return own
}

// listed is a directory whose listing is known already.
type listed struct {
	storage.Dir
	files []storage.Info
}

// List yields what was there when the experiment was listed.
func (d *listed) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for _, f := range d.files {
			if err := ctx.Err(); err != nil {
				yield(storage.Info{}, err)
				return
			}
			if strings.HasPrefix(f.Name, prefix) && !yield(f, nil) {
				return
			}
		}
	}
}
