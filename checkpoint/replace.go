package checkpoint

import (
	"context"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// replace publishes the pending files over the checkpoint that is there.
func (w *publication) replace(ctx context.Context, out *output) error {
	if w.main.Complete() {
		if err := shelf.Link(ctx, w.dir, w.main); err != nil {
			return err
		}
	}
	// Else a pin that has read the old receipt might put it over the new one.
	err := dirlock.BetweenSweeps(ctx, w.dir, dirlock.PinPatience, func() error {
		return storage.CommitAll(ctx, w.dir, []storage.Pending{out.receipt}, out.data, []storage.Pending{out.index})
	})
	w.settled(ctx)
	if err == nil && !w.main.Complete() {
		w.dropStale(ctx)
	}
	return err
}

// settled removes the recovery set, or after an error brings it back. If it
// cannot now, the next opening for writing does.
func (w *publication) settled(ctx context.Context) {
	if err := shelf.SettleAt(context.WithoutCancel(ctx), w.dir, w.path, w.told); err != nil {
		w.log.Warn("recovery files stay until the next save", "path", w.path, "err", err)
	}
}

// dropStale removes the data files of what was there before that the new
// checkpoint, which is published, has not replaced: they were of another number
// of shards. No reader looks at them, so it is no failure if they stay.
func (w *publication) dropStale(ctx context.Context) {
	if w.main == nil {
		return
	}
	var stale []string
	for _, d := range w.main.Data {
		if !slices.ContainsFunc(w.wrote, func(f shelf.File) bool { return f.Name == path.Base(d.Name) }) {
			stale = append(stale, d.Name)
		}
	}
	if len(stale) == 0 {
		return
	}
	if err := storage.RemoveAll(context.WithoutCancel(ctx), w.dir, stale); err != nil {
		w.log.Warn("data files of an incomplete checkpoint stay", "path", w.path, "err", err)
	}
}

// look finds out whether the path may be written to, and what is there of the path. If an overwrite of it was
// interrupted, that is brought in order.
func (w *publication) look(ctx context.Context) error {
	if err := filename.Check(w.path); err != nil || w.free {
		return err
	}
	if is, err := shelf.Occupied(ctx, w.dir, w.path); err != nil || !is {
		return err
	}
	if err := w.list(ctx); err != nil || w.rec == nil {
		return err
	}
	if err := shelf.Settle(ctx, w.dir, w.main, w.rec, w.told); err != nil {
		return err
	}
	return w.list(ctx)
}

func (w *publication) list(ctx context.Context) error {
	sets, err := shelf.Scan(ctx, w.dir, w.path+".")
	w.main, w.rec = sets[w.path], sets[filename.Recovery(w.path)]
	return err
}
