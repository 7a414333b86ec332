package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// plainSave is one call of Checkpoint.Save or Write.
type plainSave struct {
	c     *Checkpoint
	dir   storage.Dir
	w     writing
	lock  storage.Held
	state State // of below, as it is before the save

	counts bool    // it is Save: the path may not be taken
	begun  *Saving // what is written later

	// Not of Write: dir/prefix is below/base.
	prefix, base string
	below        storage.Dir
}

// newPlainSave returns the save of what is to be the latest checkpoint of its
// directory, of the name prefix or beginning with that.
func (c *Checkpoint) newPlainSave(dir storage.Dir, prefix string) *plainSave {
	s := &plainSave{c: c, prefix: prefix, below: dir}
	_, s.base = path.Split(prefix)
	s.writeTo(dir)
	s.w.receipt.Writer = WriterSave
	return s
}

// run gets the tensors by prepare, which calls what it is given when it has
// them, and writes them by write: at once, or with Async later.
func (s *plainSave) run(ctx context.Context, prepare func(context.Context, func() error) error, write func(context.Context) error) error {
	c := s.c
	s.w.Dir, s.w.now, s.w.start, s.w.Log = s.dir, c.o.Now, c.o.Now(), c.o.Logger
	if s.w.Crew = crew.New(c.o.Workers); s.w.Crew == nil {
		return s.runAlone(ctx, prepare, write)
	}
	if s.w.Crew.Leads() {
		return s.w.Crew.Finish(ctx, "", s.runAlone(ctx, prepare, write))
	}
	_, err := c.follow(ctx, &s.w, nil, nil)
	return err
}

// runAlone is run of a worker that is alone, or leads.
func (s *plainSave) runAlone(ctx context.Context, prepare func(context.Context, func() error) error, write func(context.Context) error) error {
	c := s.c
	if c.misuse != nil {
		return c.misuse
	}
	done, err := c.use(ctx)
	if err != nil {
		return err
	}
	defer done()
	if c.o.Async != nil {
		return s.later(ctx, prepare, write)
	}
	waited := c.queue.Do(ctx, func() {
		err = dirlock.Exclusive(ctx, s.dir, func(dir storage.Dir) error {
			s.writeTo(dir)
			return prepare(ctx, func() error { return write(ctx) })
		})
	})
	if waited != nil {
		return waited
	}
	return err
}

// later takes a snapshot and lets it be written in its turn. The directory is
// locked from now on, so that who may not write to it knows at once.
func (s *plainSave) later(ctx context.Context, prepare func(context.Context, func() error) error, write func(context.Context) error) error {
	c := s.c
	if err := c.room(ctx, c.o.Async, c); err != nil {
		if errors.Is(err, ErrSkipped) {
			c.o.Logger.Warn("save skipped: others are still to be written", "waiting", c.queue.Waiting())
		}
		return err
	}
	lock, _, err := dirlock.Lock(ctx, s.dir)
	if err != nil {
		return err
	}
	s.writeTo(dirlock.Guarded(lock, s.dir))
	if err := prepare(ctx, func() error { return s.w.Snapshot(ctx, c.memory()) }); err != nil {
		s.w.Forget()
		return alsoFailed(err, lock.Unlock())
	}
	s.lock = lock
	later := context.WithoutCancel(ctx)
	s.begun = c.later(s.w.Path, c.o.Async, c, func() error { return s.writeLater(later, write) }, s.ended)
	return c.fed(s.begun, s.w.Feed(ctx))
}

// writeLater is what the queue runs.
func (s *plainSave) writeLater(ctx context.Context, write func(context.Context) error) error {
	s.w.start = s.c.o.Now()
	return dirlock.InTurn(ctx, s.lock, func() error {
		err := s.look(ctx)
		if err == nil {
			err = s.w.LookAgain(ctx, s.counts)
		}
		if err == nil {
			err = write(ctx)
		}
		return err
	})
}

// ended is told the outcome.
func (s *plainSave) ended(err error) error {
	s.w.Forget()
	if failed := s.lock.Unlock(); err == nil {
		err = failed
	}
	return s.failed(err)
}

func (s *plainSave) failed(err error) error {
	verb, log := "save", s.c.o.Logger
	if s.below == nil {
		verb = "write"
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrReplaced):
		log.Warn("save replaced by a newer one before it was written", "path", s.w.Path)
	default:
		log.Error("save failed", "path", s.w.Path, "err", err)
	}
	return fmt.Errorf("%s %s: %w", verb, s.w.Path, err)
}

// look reads the state file that the save is to change, if any.
func (s *plainSave) look(ctx context.Context) (err error) {
	if s.below != nil {
		s.state, err = s.c.readToKeep(ctx, s.below)
	}
	return err
}

// handed gets the tensors for Write and SaveAs.
func (s *plainSave) handed(ctx context.Context, then func() error) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	if err := s.c.hand(&s.w); err != nil {
		return err
	}
	return then()
}

// counted gets number and tensors for Save.
func (s *plainSave) counted(ctx context.Context, then func() error) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	next := func(was int64) (n int64, err error) {
		if s.c.o.Exactly.On() {
			return after(was)
		}
		n, s.w.Free, err = nextFree(ctx, s.below, s.base, s.state, was)
		for err == nil {
			next, failed := passBusy(s.dir, s.prefix, n)
			if failed != nil || next == n {
				return next, failed
			}
			s.w.Free = false
			n, err = s.unoccupied(ctx, next)
		}
		return 0, err
	}
	s.counts, s.w.Counts = true, true
	return s.c.counting(next, func(count int64) error {
		s.w.Path = filename.Numbered(s.prefix, count)
		if err := s.c.hand(&s.w); err != nil {
			return err
		}
		return then()
	})
}

// unoccupied returns the first number from n on of which nothing is there.
func (s *plainSave) unoccupied(ctx context.Context, n int64) (int64, error) {
	for {
		is, err := shelf.Occupied(ctx, s.below, filename.Numbered(s.base, n))
		if err != nil || !is {
			return n, err
		}
		if n, err = after(n); err != nil {
			return 0, err
		}
	}
}

// writeAndRecord writes the checkpoint and then makes it the latest.
func (s *plainSave) writeAndRecord(ctx context.Context) error {
	s.w.StateName = path.Join(path.Dir(s.w.Path), filename.State)
	s.w.StateText = State(ledger.State(s.state).WithUnmanaged(path.Base(s.w.Path))).text
	return s.w.Publish(ctx)
}

// writeTo makes dir, which is s.dir as who locked it is to write to it, where
// the save goes.
func (s *plainSave) writeTo(dir storage.Dir) {
	s.dir, s.w.Dir = dir, dir
	if in, _ := path.Split(s.prefix); s.below != nil {
		s.below = dir
		if in != "" {
			s.below = storage.Sub(dir, path.Clean(in))
		}
	}
}
