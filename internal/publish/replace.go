package publish

import (
	"context"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// replace publishes the pending files over the checkpoint that is there.
func (w *Writing) replace(ctx context.Context, out *output) error {
	if w.main.Complete() {
		if err := shelf.Link(ctx, w.Dir, w.main); err != nil {
			return err
		}
	}
	// Else a pin that has read the old receipt might put it over the new one.
	err := dirlock.BetweenSweeps(ctx, w.Dir, dirlock.PinPatience, func(dir storage.Dir) error {
		return storage.CommitAll(ctx, dir, []storage.Pending{out.receipt}, out.bulk(), []storage.Pending{out.index})
	})
	w.settled(ctx)
	if err == nil && !w.main.Complete() {
		w.dropStale(ctx)
	}
	return err
}

// settled removes the recovery set, or after an error brings it back. If it
// cannot now, the next opening for writing does.
func (w *Writing) settled(ctx context.Context) {
	if err := shelf.SettleAt(context.WithoutCancel(ctx), w.Dir, w.Path, w.Told); err != nil {
		w.Log.Warn("recovery files stay until the next save", "path", w.Path, "err", err)
	}
}

// dropStale removes the data files, and parity, of what was there before that
// the new checkpoint, which is published, has not replaced: they were of another
// number of shards. No reader looks at them, so it is no failure if they stay.
func (w *Writing) dropStale(ctx context.Context) {
	if w.main == nil {
		return
	}
	var stale []string
	wrote := slices.Concat(w.Wrote, w.Parity)
	for _, name := range w.main.Others() {
		isNew := func(f shelf.File) bool { return f.Name == path.Base(name) }
		if name != filename.OfReceipt(w.Path) && !slices.ContainsFunc(wrote, isNew) {
			stale = append(stale, name)
		}
	}
	if len(stale) == 0 {
		return
	}
	if err := storage.RemoveAll(context.WithoutCancel(ctx), w.Dir, stale); err != nil {
		w.Log.Warn("data files of an incomplete checkpoint stay", "path", w.Path, "err", err)
	}
}

// dropHalf removes what a publish that failed has published so far, unless the
// index is among it: then it may be all. A manager's next opening finds what
// stays, by the receipt; nobody does where the name is not a manager's.
func (w *Writing) dropHalf(ctx context.Context) {
	if len(w.Wrote) == 0 {
		return // it did not come to that
	}
	ctx = context.WithoutCancel(ctx)
	is, err := shelf.Exists(ctx, w.Dir, tensorbundle.IndexName(w.Path))
	if is {
		return
	}
	if err == nil {
		in, _ := path.Split(w.Path)
		ours := []string{filename.OfReceipt(w.Path)}
		for _, f := range w.Wrote[:len(w.Wrote)-1] {
			ours = append(ours, in+f.Name)
		}
		err = storage.RemoveAll(ctx, w.Dir, ours)
	}
	if err != nil {
		w.Log.Warn("files of a save that failed stay", "path", w.Path, "err", err)
	}
}

// prepare does what comes before the first byte.
func (w *Writing) prepare(ctx context.Context) error {
	if err := w.look(ctx); err != nil {
		return err
	}
	if err := w.Plan(ctx); err != nil {
		return err
	}
	return w.fits(ctx)
}

// look finds out whether the path may be written to, and what is there of it.
// If an overwrite of it was interrupted, that is brought in order.
func (w *Writing) look(ctx context.Context) error {
	if err := filename.Check(w.Path); err != nil || w.Free {
		return err
	}
	if is, err := shelf.Occupied(ctx, w.Dir, w.Path); err != nil || !is {
		return err
	}
	if err := w.list(ctx); err != nil || w.rec == nil {
		return err
	}
	if err := shelf.Settle(ctx, w.Dir, w.main, w.rec, w.Told); err != nil {
		return err
	}
	return w.list(ctx)
}

func (w *Writing) list(ctx context.Context) error {
	sets, err := shelf.Scan(ctx, w.Dir, w.Path+".")
	w.main, w.rec = sets[w.Path], sets[filename.Recovery(w.Path)]
	return err
}
