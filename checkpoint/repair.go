package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"syscall"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// RepairOptions change what Repair does. Nil and zero values are the defaults.
type RepairOptions struct {
	DryRun bool // find out what can be done, and do nothing; it needs no lock
}

// Mended is a damaged file of a checkpoint, and what became of it.
type Mended struct {
	File    string
	Bad     int64   // blocks that are not what was written
	Lost    int64   // of those, beyond repair
	Offsets []int64 // where the first of the bad blocks begin
	Fixable bool    // all of it can be made again
	Done    bool    // and was
	Reason  string  // why not
}

// Repair makes the damaged files of the checkpoint path again from its parity,
// which Options.Parity writes: at most one bad block of every eight in a row.
// A sector that the disk cannot read (EIO) makes a block bad, too.
// Each is written as a new file that takes the name of the bad one when all is
// read and verified: what comes of it has to match the index, tensor by tensor.
//
// A checkpoint that is whole gives no list and no error. What is beyond repair
// is in the list, and is an error that wraps format.ErrCorrupt; the other files
// are mended all the same. Repair needs the writers' lock.
func Repair(ctx context.Context, dir storage.Dir, path string, o *RepairOptions) ([]Mended, error) {
	if o == nil {
		o = new(RepairOptions)
	}
	var list []Mended
	var err error
	if o.DryRun {
		list, err = repair(ctx, dir, path, true)
	} else {
		err = dirlock.Exclusive(ctx, dir, func(dir storage.Dir) (err error) {
			list, err = repairAlone(ctx, dir, path)
			return err
		})
	}
	if err != nil {
		err = fmt.Errorf("repair %s: %w", path, err)
	}
	return list, err
}

// repairAlone is Repair for who holds the writers' lock. dir is Guarded's.
func repairAlone(ctx context.Context, dir storage.Dir, path string) ([]Mended, error) {
	if err := dirlock.Free(dir, path); err != nil {
		return nil, err
	}
	if err := shelf.SettleAt(ctx, dir, path, receiptFiles); err != nil {
		return nil, err
	}
	return repair(ctx, dir, path, false)
}

// isBad reports whether err is of the kind that parity is for: what was read is
// wrong, or a sector cannot be read. If it can the next time, no harm is done:
// what is written then is what was there.
func isBad(err error) bool { return isDamage(err) || errors.Is(err, syscall.EIO) }

func repair(ctx context.Context, dir storage.Dir, path string, dry bool) ([]Mended, error) {
	wrong := verifyAll(ctx, dir, path)
	if !isBad(wrong) {
		return nil, wrong
	}
	r := &repairing{ctx: ctx, dir: dir, path: path, data: make(map[int]*mending)}
	err := r.look(wrong)
	if err == nil && !dry {
		err = r.write()
	}
	err = errors.Join(err, r.close())
	list, lost := r.list()
	if err != nil {
		return list, err
	}
	if len(list) == 0 {
		return nil, wrong // in what parity does not protect, a receipt say
	}
	return list, lost
}

// verifyAll returns what Verify finds, of a checkpoint that may not open.
func verifyAll(ctx context.Context, dir storage.Dir, path string) error {
	at, err := locatePath(ctx, dir, path)
	if err != nil {
		return err
	}
	r, err := loadAt(ctx, dir, at)
	if err != nil {
		return err
	}
	return closing(r, r.Verify(ctx, nil))
}

// repairing is one call of Repair.
type repairing struct {
	ctx     context.Context
	dir     storage.Dir
	path    string
	receipt *Receipt // nil: none that can be read
	index   *mending
	data    map[int]*mending // by shard, those that were looked at
	shards  int
	opened  []storage.File
}

// look finds out what is bad, and what of it can be made again.
func (r *repairing) look(wrong error) error {
	receipt, err := ReadReceipt(r.ctx, r.dir, r.path)
	switch {
	case err == nil:
		r.receipt = &receipt
	case unlessIO(err) != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if r.index, err = r.mending(tensorbundle.IndexName(r.path)); err != nil {
		return err
	}
	if r.index.missing && r.index.parity.ReaderAt == nil {
		return wrong
	}
	return r.match()
}

// match decides which index counts, and holds what parity makes of the data
// against it. The one that is there counts if it is whole in itself: a later
// checkpoint of another program may have taken the place of what receipt and
// parity are of. The index made again has to fit the data as well.
func (r *repairing) match() error {
	raw, err := r.bundle(r.index.asIs())
	if err == nil {
		if err := r.fits(raw); err != nil {
			return err
		}
		if r.index.fixable() {
			return r.refit()
		}
		r.index.forget()
		return nil
	}
	if !isBad(err) {
		return err
	}
	if !r.index.whole() {
		r.index.blame(err)
		return nil
	}
	made, err := r.bundle(r.index.made())
	if err != nil {
		return err
	}
	return r.fits(made)
}

// refit lets an index be mended that can be read, but is not what was written.
func (r *repairing) refit() error {
	made, err := r.bundle(r.index.made())
	if err == nil {
		err = r.fits(made)
	}
	if err != nil && isDamage(err) {
		r.index.forget()
		return nil
	}
	return err
}

func (r *repairing) bundle(f file) (*tensorbundle.Reader, error) {
	return tensorbundle.NewReader(f, f.size, r.openData)
}

// fits verifies all tensors of what the data is after mending. A bad one in a
// file that cannot be mended is the least surprise; another is none of ours.
func (r *repairing) fits(b *tensorbundle.Reader) error {
	if r.shards != b.Shards() {
		r.shards, r.data = b.Shards(), make(map[int]*mending)
	}
	if err := r.allData(); err != nil {
		return err
	}
	for _, name := range b.Names() {
		err := b.Verify(name)
		if ended := r.ctx.Err(); ended != nil {
			return ended
		}
		if err == nil {
			continue
		}
		if !isBad(err) {
			return err
		}
		if !r.blame(b, name, err) {
			return fmt.Errorf("what parity says is of another checkpoint than the index: %w", err)
		}
	}
	return nil
}

// blame reports whether a tensor is bad because a file is beyond repair.
func (r *repairing) blame(b *tensorbundle.Reader, name string, err error) (lost bool) {
	parts, _ := b.Slices(name) // none of what is not partitioned
	if e, failed := b.Entry(name); failed == nil && len(parts) == 0 {
		parts = append(parts, e)
	}
	for _, e := range parts {
		if m := r.data[e.Shard]; m != nil && !m.whole() {
			m.blame(err)
			lost = true
		}
	}
	return lost
}

// allData looks at the files, too, that hold no tensor.
func (r *repairing) allData() error {
	missing := 0
	for i := 0; i < r.shards && missing < maxMissing; i++ {
		m, err := r.shard(i)
		if err != nil {
			return err
		}
		if m.missing {
			missing++
		}
	}
	return nil
}

// write writes the files that can be made again, and lets them take the names
// of the bad ones. Each is what it was, so that any order would do.
func (r *repairing) write() (err error) {
	var files []storage.Pending
	var done []*mending
	defer func() {
		for _, p := range files {
			err = alsoDiscarded(err, p)
		}
	}()
	for _, m := range r.all() {
		if !m.fixable() {
			continue
		}
		p, err := r.dir.Create(r.ctx, m.name)
		if err != nil {
			return err
		}
		files = append(files, p)
		if err := m.writeTo(p); err != nil {
			return err
		}
		done = append(done, m)
	}
	// Some systems do not rename over a file that is open.
	if err := r.close(); err != nil {
		return err
	}
	if err := storage.CommitAll(r.ctx, r.dir, files); err != nil {
		return err
	}
	for _, m := range done {
		m.done = true
	}
	return nil
}

func alsoDiscarded(err error, p storage.Pending) error {
	if discarded := p.Discard(); err == nil {
		return discarded
	}
	return err
}

// all returns the files that were looked at, the index last.
func (r *repairing) all() []*mending {
	var all []*mending
	for _, i := range slices.Sorted(maps.Keys(r.data)) {
		all = append(all, r.data[i])
	}
	if r.index != nil {
		all = append(all, r.index)
	}
	return all
}

// list returns what is damaged, and an error of what is beyond repair.
func (r *repairing) list() (list []Mended, lost error) {
	for _, m := range r.all() {
		if !m.damaged() {
			continue
		}
		told := m.told()
		if list = append(list, told); !told.Fixable && lost == nil {
			lost = &format.CorruptError{Part: m.name, Offset: m.firstLost(), Reason: "beyond repair: " + told.Reason}
		}
	}
	return list, lost
}

func (r *repairing) close() error {
	var errs []error
	for _, f := range r.opened {
		errs = append(errs, f.Close())
	}
	r.opened = nil
	return errors.Join(errs...)
}
