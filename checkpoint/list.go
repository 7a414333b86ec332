package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// ListOptions change what List finds out.
type ListOptions struct {
	Receipts bool // read every receipt: one small file for each checkpoint, and leases
}

// Listing is a checkpoint on disk, as List finds it.
type Listing struct {
	Path     string
	Number   int64                  // -1: its name ends in none
	Format   string                 // FormatV2 or FormatV1
	Shards   int                    // data files; 0 if they are not complete
	Size     int64                  // of all its files, in bytes
	Shared   []retention.SharedFile // of those that others of the list have, too
	Time     time.Time
	Complete bool // index and all data files are there
	Latest   bool // as the function Latest says
	Managed  bool // by the state file: a manager may remove it

	HasReceipt bool
	Receipt    *Receipt // with ListOptions.Receipts, if it has one that can be read
	ReceiptErr error    // why it cannot
	Leased     string   // with ListOptions.Receipts: who holds it, so that retention does not remove it
}

// List returns every checkpoint in dir, listed in the state file or not, from
// the oldest to the newest. It takes one listing of the directory and opens
// the state file, those files that may be V1 checkpoints by their names, and
// receipts if asked to; never an index or a data file.
// (TensorFlow: get_checkpoint_mtimes)
func List(ctx context.Context, dir storage.Dir, o *ListOptions) ([]Listing, error) {
	if o == nil {
		o = new(ListOptions)
	}
	s, err := ReadState(ctx, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
		return nil, err
	}
	l := &lister{sets: make(shelf.Sets), found: make(map[string]*Listing)}
	if err := shelf.EachFile(ctx, dir, "", l.visit); err != nil {
		return nil, err
	}
	l.addV2(s)
	if err := l.addV1(ctx, dir); err != nil {
		return nil, err
	}
	l.mark(s)
	if o.Receipts {
		if err := l.readReceipts(ctx, dir); err != nil {
			return nil, err
		}
	}
	list := l.sorted()
	l.share(list)
	return list, nil
}

// TotalSize returns what checkpoints take together. What several of them share
// counts once.
func TotalSize(list []Listing) int64 {
	sizes := make([]retention.Checkpoint, len(list))
	for i, l := range list {
		sizes[i] = retention.Checkpoint{Size: l.Size, Shared: l.Shared}
	}
	return retention.TotalSize(sizes)
}

// share finds what several checkpoints have in common: as the place tells it,
// or where that does not, receipts.
func (l *lister) share(list []Listing) {
	s, holders := newSharing(), make(map[string]int)
	for i, e := range slices.Backward(list) {
		if e.Format != FormatV2 {
			continue
		}
		var r Receipt
		if e.Receipt != nil {
			r = *e.Receipt
		}
		list[i].Shared = s.files(l.sets[e.Path], r)
		for _, f := range list[i].Shared {
			holders[f.File]++
		}
	}
	for i := range list {
		list[i].Shared = slices.DeleteFunc(list[i].Shared, func(f retention.SharedFile) bool { return holders[f.File] < 2 })
	}
}

// lister collects what List returns.
type lister struct {
	sets  shelf.Sets
	maybe []storage.Info // V1 files by their names
	found map[string]*Listing
}

func (l *lister) visit(info storage.Info) {
	if !l.sets.Add(info) && !strings.Contains(info.Name, "/") && filename.MayBeV1(info.Name) && info.Size > 0 {
		l.maybe = append(l.maybe, info)
	}
}

// addV2 adds the directory's own checkpoints, those elsewhere that the state
// file lists, and a SavedModel's variables.
func (l *lister) addV2(s State) {
	listed := make(map[string]bool, len(s.AllModelCheckpointPaths))
	for _, p := range s.AllModelCheckpointPaths {
		listed[p] = true
	}
	for p, set := range l.sets {
		if set.Index == nil {
			continue
		}
		if filename.OfDirectory(p) || p == filename.Variables || listed[p] {
			_, n, _ := filename.SplitNumber(p)
			l.found[p] = &Listing{Path: p, Number: n, Format: FormatV2, Shards: set.Shards(), Size: set.Size(),
				Time: set.ModTime(), Complete: set.Complete(), HasReceipt: set.Receipt != nil}
		}
	}
}

// addV1 adds V1 checkpoints. Where a V2 one has the same path, that is the
// one the path means.
func (l *lister) addV1(ctx context.Context, dir storage.Dir) error {
	files := make(map[string][]string)
	for _, info := range l.maybe {
		p, _ := filename.CutV1Shard(info.Name)
		if e := l.found[p]; e != nil && e.Format == FormatV2 {
			continue
		}
		is, err := shelf.IsV1(ctx, dir, info.Name)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		e := l.found[p]
		if e == nil {
			_, n, _ := filename.SplitNumber(p)
			e = &Listing{Path: p, Number: n, Format: FormatV1, Time: info.ModTime}
			e.HasReceipt = l.sets[p] != nil && l.sets[p].Receipt != nil // somebody marked it
			l.found[p] = e
		}
		files[p] = append(files[p], info.Name)
		e.Shards++
		e.Size += info.Size
	}
	for p, names := range files {
		l.found[p].Complete = filename.MissingV1Shard(names) == ""
	}
	return nil
}

// mark enters what the state file says.
func (l *lister) mark(s State) {
	present := func(p string) bool { return l.found[p] != nil }
	end := time.Unix(maxSeconds, 0)
	var managed []retention.Checkpoint
	if len(s.AllModelCheckpointTimestamps) == len(s.AllModelCheckpointPaths) {
		managed, _ = ledger.State(s).Managed(end, ledger.State(s).Preserved(), present)
	}
	for _, c := range managed {
		if e := l.found[c.Path]; e != nil {
			e.Managed, e.Time = true, c.Time
		}
	}
	if p := l.latest(s); p != "" {
		l.found[p].Latest = true
	}
}

// latest is what the function Latest returns, without opening anything.
func (l *lister) latest(s State) string {
	if p, _, ok := filename.Local(s.ModelCheckpointPath); ok {
		// A V2 checkpoint is there with its index, a V1 one when it is whole.
		if e := l.found[p]; e != nil && (e.Complete || e.Format == FormatV2) {
			return p
		}
	}
	for _, e := range slices.Backward(l.sorted()) {
		if e.Complete && filename.OfDirectory(e.Path) {
			return e.Path
		}
	}
	return ""
}

func (l *lister) readReceipts(ctx context.Context, dir storage.Dir) error {
	held, err := holders(ctx, dir, time.Now, func(p string) bool { return l.found[p] != nil })
	if err != nil {
		return err
	}
	return l.each(func(e *Listing) error {
		e.Leased = held[e.Path]
		return l.readReceipt(ctx, dir, e)
	})
}

// atOnce is how many receipts are read at a time: where each takes a journey
// to another machine, a directory has thousands, and on a disk it costs nothing.
const atOnce = 16

// each calls do for all that was found, some at a time, and returns the first
// error of one of them; then not all were done.
func (l *lister) each(do func(*Listing) error) error {
	var (
		list = slices.Collect(maps.Values(l.found))
		next atomic.Int64
		once sync.Once
		err  error
		crew sync.WaitGroup
	)
	for range min(atOnce, len(list)) {
		crew.Go(func() {
			for i := next.Add(1); i <= int64(len(list)); i = next.Add(1) {
				if failed := do(list[i-1]); failed != nil {
					once.Do(func() { err = failed })
					next.Store(int64(len(list)))
				}
			}
		})
	}
	crew.Wait()
	return err
}

// readReceipt enters what the receipt of e says.
func (l *lister) readReceipt(ctx context.Context, dir storage.Dir, e *Listing) error {
	if !e.HasReceipt {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := receiptInForce(ctx, dir, l.sets, e.Path)
	switch {
	case err == nil:
		e.Receipt = &r
		if !r.Time.IsZero() {
			e.Time = r.Time
		}
	case ctx.Err() != nil:
		return err
	case errors.Is(err, fs.ErrNotExist): // a training has removed it since
		e.HasReceipt = false
	default:
		e.ReceiptErr = err
	}
	return nil
}

func (l *lister) sorted() []Listing {
	var paths []string
	times := make(map[string]time.Time)
	for p, e := range l.found {
		paths = append(paths, p)
		times[p] = e.Time
	}
	shelf.SortByAge(paths, times)
	list := make([]Listing, len(paths))
	for i, p := range paths {
		list[i] = *l.found[p]
	}
	return list
}
