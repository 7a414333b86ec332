package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// IteratorOptions change what Iterator gives out, and how long it waits.
type IteratorOptions struct {
	// MinInterval is the shortest time from one checkpoint to the next.
	// (TensorFlow: min_interval_secs)
	MinInterval time.Duration
	// Timeout is how long to wait for one checkpoint; the last look is when
	// it is over. 0 waits until ctx ends. (TensorFlow: timeout)
	Timeout time.Duration
	// TimeoutFn is called when Timeout is over, and only then. True ends the
	// loop, false waits once more for as long. Default: the loop ends.
	// (TensorFlow: timeout_fn)
	TimeoutFn func() bool
	// Poll is the time from one look at the directory to the next. Default:
	// one second, as in TensorFlow.
	Poll time.Duration
	// Every gives out each complete checkpoint there is and each that comes,
	// oldest first, and not only the newest of the moment. It lists the
	// directory at every look.
	Every bool
	// Lease, if not nil, takes a lease on each checkpoint for as long as the
	// loop's body runs, so that retention does not take away what is read.
	Lease *LeaseOptions
	// Logger is told of leases that could not be released and will run out.
	// Default: nobody.
	Logger *slog.Logger
}

const defaultPoll = time.Second

// Iterator waits for checkpoints and gives out their paths, for evaluators
// beside a training: at once the latest there is, then each time another one
// is. A path that was saved anew is another one, too; what comes and goes
// while the loop's body runs is not seen, unless Every is set. A directory
// that does not exist yet is waited for.
//
// The loop ends after Timeout without an error. When ctx ends, its error is
// given out last. Any other error is given out with a path or without, and if
// the loop goes on it looks again. (TensorFlow: tf.train.checkpoints_iterator)
func Iterator(ctx context.Context, dir storage.Dir, o *IteratorOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := &waiting{dir: dir, seen: make(map[string]string)}
		if o != nil {
			w.o = *o
		}
		if w.o.Poll <= 0 {
			w.o.Poll = defaultPoll
		}
		if w.o.Logger == nil {
			w.o.Logger = slog.New(slog.DiscardHandler)
		}
		w.run(ctx, yield)
	}
}

// waiting is one loop over an Iterator.
type waiting struct {
	dir storage.Dir
	o   IteratorOptions
	// seen has the generation of what was given out, by path: of the last
	// alone or, with Every, of all that are still there.
	seen map[string]string
}

// generation is one checkpoint, and no other of the same path.
type generation struct{ path, id string }

func (w *waiting) run(ctx context.Context, yield func(string, error) bool) {
	for {
		found, err := w.wait(ctx)
		if ended := ctx.Err(); ended != nil {
			yield("", ended)
			return
		}
		if err == nil && found.path == "" {
			return
		}
		start, pause := time.Now(), w.o.MinInterval
		if err == nil {
			w.note(found)
			err = w.give(ctx, found.path, yield)
		}
		switch {
		case errors.Is(err, errOver):
			return
		case err != nil:
			delete(w.seen, found.path) // it is given out again
			pause = w.o.Poll
			if !yield(found.path, err) {
				return
			}
		}
		sleep(ctx, time.Until(start.Add(pause)))
	}
}

// note marks a checkpoint as given out.
func (w *waiting) note(g generation) {
	if !w.o.Every {
		clear(w.seen)
	}
	w.seen[g.path] = g.id
}

var errOver = errors.New("the loop was left")

// give runs the loop's body, under a lease if asked to. A checkpoint that is
// gone before there is a lease is none that could be read.
func (w *waiting) give(ctx context.Context, path string, yield func(string, error) bool) error {
	if w.o.Lease != nil {
		l, err := TakeLease(ctx, w.dir, path, w.o.Lease)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		// Deferred, for a body that panics.
		defer func() {
			if err := l.Release(context.WithoutCancel(ctx)); err != nil {
				w.o.Logger.Warn("a lease stays until it runs out", "path", path, "err", err)
			}
		}()
	}
	if !yield(path, nil) {
		return errOver
	}
	return nil
}

// wait looks until there is something new. No path: it timed out.
func (w *waiting) wait(ctx context.Context) (generation, error) {
	start := time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return generation{}, err
		}
		found, err := w.look(ctx)
		if err != nil || found.path != "" {
			return found, err
		}
		pause := w.o.Poll
		if w.o.Timeout > 0 {
			left := time.Until(start.Add(w.o.Timeout))
			if left <= 0 {
				if w.o.TimeoutFn == nil || w.o.TimeoutFn() {
					return generation{}, nil
				}
				start = time.Now()
				left = w.o.Timeout
			}
			pause = min(pause, left)
		}
		sleep(ctx, pause)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// look returns what is to be given out next, without a path if nothing is.
func (w *waiting) look(ctx context.Context) (generation, error) {
	if w.o.Every {
		return w.oldestUnseen(ctx)
	}
	path, err := latestThere(ctx, w.dir)
	if err == nil {
		var g generation
		if g, err = generationOf(ctx, w.dir, path); err == nil && w.seen[path] != g.id {
			return g, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) { // not yet, or not any more
		err = nil
	}
	return generation{}, err
}

// oldestUnseen also forgets what has left the directory.
func (w *waiting) oldestUnseen(ctx context.Context) (generation, error) {
	list, err := generations(ctx, w.dir)
	if err != nil {
		return generation{}, err
	}
	var first generation
	still := make(map[string]string)
	for _, g := range list {
		if w.seen[g.path] == g.id {
			still[g.path] = g.id
		} else if first.path == "" {
			first = g
		}
	}
	w.seen = still
	return first, nil
}

// generationOf goes by the receipt, which says when the checkpoint was saved
// and what its index is; the marks that come later are not part of it. A
// checkpoint without one goes by its file's time.
func generationOf(ctx context.Context, dir storage.Dir, path string) (generation, error) {
	at, err := locatePath(ctx, dir, path)
	if err != nil {
		return generation{}, err
	}
	r, err := ReadReceipt(ctx, dir, at.Stored)
	if err == nil && !r.silent() {
		return generation{path, fmt.Sprint(r.SaveCounter, r.Time.UnixNano(), r.Files)}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
		return generation{}, err
	}
	list, err := generations(ctx, dir)
	for _, g := range list {
		if g.path == path {
			return g, nil
		}
	}
	return generation{path, "elsewhere"}, err
}

// generations lists the complete checkpoints of dir, oldest first, by the
// place's own times and sizes.
func generations(ctx context.Context, dir storage.Dir) ([]generation, error) {
	l := &lister{sets: make(shelf.Sets), found: make(map[string]*Listing)}
	if err := shelf.EachFile(ctx, dir, "", l.visit); err != nil {
		return nil, err
	}
	l.addV2(State{})
	if err := l.addV1(ctx, dir); err != nil {
		return nil, err
	}
	var list []generation
	for _, e := range l.sorted() {
		if !e.Complete || !filename.OfDirectory(e.Path) {
			continue
		}
		size := e.Size
		if set := l.sets[e.Path]; e.Format == FormatV2 {
			size = set.Index.Size // that of a receipt changes with every mark
		}
		list = append(list, generation{e.Path, fmt.Sprint(e.Time.UnixNano(), size)})
	}
	return list, nil
}
