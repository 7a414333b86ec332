package doctor

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// staleAge is how long nothing was written to what counts as left over, as in
// storage/local.
const staleAge = time.Hour

// examiner is one look at a directory. What it knows of checkpoints that have
// not changed it keeps for the next look.
type examiner struct {
	dir      storage.Dir // as who holds the lock is to write to it
	place    storage.Dir // the same for those who take the lock themselves
	o        Options
	now      time.Time
	verified map[string]verdict // by path and what its files are

	files    map[string]storage.Info // all that there is, by name
	sets     shelf.Sets              // the directory's own, recovery sets too
	receipts map[string]checkpoint.Receipt
	valid    []string // checkpoints that passed, oldest first
	bad      map[string]bool
	unread   map[string]bool // checkpoints, and files of none, that could not be read
	latest   string          // what the state file names, if that is here
	unknown  []string
	found    []Finding
}

func newExaminer(dir storage.Dir, o Options) *examiner {
	return &examiner{dir: dir, place: dir, o: o, verified: make(map[string]verdict)}
}

func (x *examiner) report(r *Report) {
	r.Findings, r.Unknown = x.found, x.unknown
	r.Checkpoints, r.Valid = len(x.valid)+len(x.bad), len(x.valid)
	for p := range x.unread {
		if x.isCheckpoint(p) && !x.bad[p] && !x.isValid(p) {
			r.Checkpoints++
		}
	}
	r.Newest = ""
	if r.Valid > 0 {
		r.Newest = x.valid[r.Valid-1]
	}
}

// examine looks at everything. The state file comes last of what is about
// checkpoints: what it should say depends on which of them are whole.
func (x *examiner) examine(ctx context.Context) error {
	x.now, x.found, x.unknown, x.unread = x.o.Now(), nil, nil, make(map[string]bool)
	if err := x.list(ctx); err != nil {
		return err
	}
	steps := []func(context.Context) error{x.readLatest, x.checkReceipts, x.checkSets, x.checkV1, x.sortValid, x.putAside,
		x.checkState, x.checkOrphans, x.checkNone, x.checkLeases, x.checkOthers, x.checkTemporary}
	for _, step := range steps {
		if err := x.unlessUnreadable(ctx, "", step(ctx)); err != nil {
			return err
		}
	}
	x.restrain()
	x.sortFound()
	return nil
}

// list lists the directory. One that is missing is an error: there is nothing
// to say about it.
func (x *examiner) list(ctx context.Context) error {
	x.files, x.sets = make(map[string]storage.Info), make(shelf.Sets)
	for info, err := range x.dir.List(ctx, "") {
		if err != nil {
			return err
		}
		x.files[info.Name] = info
		if !strings.Contains(info.Name, "/") {
			x.sets.Add(info)
		}
	}
	return nil
}

// readLatest finds out which checkpoint of the directory the state file names.
func (x *examiner) readLatest(ctx context.Context) error {
	x.latest = ""
	s, err := checkpoint.ReadState(ctx, x.dir)
	if err != nil {
		return unlessDamage(err)
	}
	if p, _, ok := filename.Local(s.ModelCheckpointPath); ok {
		x.latest = p
	}
	return nil
}

// find adds a finding.
func (x *examiner) find(f Finding) {
	slices.Sort(f.Files)
	x.found = append(x.found, f)
}

// old reports whether nothing was written to any of the files for so long that
// nobody is at it any more.
func (x *examiner) old(names ...string) bool {
	for _, name := range names {
		if x.now.Sub(x.files[name].ModTime) <= staleAge {
			return false
		}
	}
	return true
}

// isDamage reports whether err says that something is not whole, and not that
// it could not be read this time.
func isDamage(err error) bool {
	return errors.Is(err, format.ErrCorrupt) || errors.Is(err, fs.ErrNotExist)
}

func unlessDamage(err error) error {
	if isDamage(err) {
		return nil
	}
	return err
}

// told is what a receipt says of files, for package shelf.
func told(ctx context.Context, dir storage.Dir, path string) ([]shelf.File, error) {
	r, err := checkpoint.ReadReceipt(ctx, dir, path)
	if err != nil {
		return nil, unlessDamage(err)
	}
	var files []shelf.File
	for _, f := range slices.Concat(r.Files, r.Parity) {
		files = append(files, shelf.File(f))
	}
	return files, nil
}
