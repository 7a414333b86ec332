package fence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
)

// lease is one that this process holds, or held.
type lease struct {
	d       storage.Dir
	lock    string
	number  int64
	turns   storage.Turns
	count   int // of those who share it; leases.mu
	stop    chan struct{}
	stopped chan struct{} // the goroutine that renews has ended

	own     storage.Turns // guard what follows, and keep writes of the file apart
	note    note
	lost    error           // why it is not ours any more
	under   int             // turns and changes under way
	asleep  map[int64]token // of holders before who may still wake up
	tell    func(error)     // of renewals that fail; nil: nobody
	failing bool            // the last one did
}

func (n note) text() ([]byte, error) {
	text, err := json.Marshal(n)
	return append(text, '\n'), err
}

// beat renews the lease until it ends.
func (l *lease) beat(every time.Duration) {
	defer close(l.stopped)
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.alone(func() {
			if l.lost == nil {
				// What fails now fails again when it matters.
				l.told(l.renew(context.Background()))
			}
		})
	}
}

// told tells when renewals begin to fail, and not of each: there is time to see
// to it until the lease has run out. It is l's own turn.
func (l *lease) told(err error) {
	if err != nil && !l.failing && l.tell != nil {
		l.tell(err)
	}
	l.failing = err != nil
}

// alone runs do in l's own turn.
func (l *lease) alone(do func()) {
	if end, err := l.own.Turn(context.Background()); err == nil {
		defer end()
		do()
	}
}

// renew writes the file and then looks whether the token is in force. Where
// listings are cached, the writing makes this one a new one. It is l's own turn.
func (l *lease) renew(ctx context.Context) error {
	l.note.Beat++
	text, err := l.note.text()
	if err != nil {
		return err
	}
	if err := storage.WriteFileSoon(ctx, l.d, fileName(l.lock, l.number), text); err != nil {
		return err
	}
	list, err := numbers(ctx, l.d, l.lock)
	if err != nil {
		return err
	}
	maps.DeleteFunc(l.asleep, func(n int64, _ token) bool { return !slices.Contains(list, n) })
	if slices.Contains(list, l.number) && slices.Max(list) == l.number {
		return nil
	}
	return l.lose(ctx, slices.Max(append(list, 0)))
}

// lose notes that the lease is another's. It is l's own turn.
func (l *lease) lose(ctx context.Context, to int64) error {
	who := "somebody who removed the token"
	if t, err := read(ctx, l.d, l.lock, to); err == nil && to > l.number {
		who = t.who()
	}
	l.lost = fmt.Errorf("%w (%s has token %d, this process had %d)", storage.ErrFenced, who, to, l.number)
	return errors.Join(l.lost, l.lastBreath(ctx))
}

// lastBreath removes the token file of a lease that was lost: that lets others
// know that nothing more will come. It is l's own turn.
func (l *lease) lastBreath(ctx context.Context) error {
	if l.lost == nil || l.under > 0 {
		return nil
	}
	return l.withdraw(context.WithoutCancel(ctx))
}

func (l *lease) withdraw(ctx context.Context) error {
	if err := l.d.Remove(ctx, fileName(l.lock, l.number)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// enter announces changes of the checkpoints paths. If it returns nil the
// token was in force after that, and leave must follow.
func (l *lease) enter(ctx context.Context, paths []string) error {
	end, err := l.own.Turn(ctx)
	if err != nil {
		return err
	}
	defer end()
	if l.lost != nil {
		return l.lost
	}
	for _, p := range paths {
		if !slices.Contains(l.note.Paths, p) {
			l.note.Paths = append(slices.Clip(l.note.Paths), p)
		}
	}
	if err := l.renew(ctx); err != nil {
		return err
	}
	l.under++
	return nil
}

func (l *lease) leave(ctx context.Context) (err error) {
	l.alone(func() {
		l.under--
		err = l.lastBreath(ctx)
	})
	return err
}

// busy returns who may still change the checkpoint path, though it has lost
// the lease, "" if nobody may.
func (l *lease) busy(path string) (who string) {
	l.alone(func() {
		for _, n := range slices.Sorted(maps.Keys(l.asleep)) {
			if t := l.asleep[n]; who == "" && slices.Contains(t.Paths, path) {
				who = fmt.Sprintf("%s, if it is still alive; if it is surely not, remove %s", t.who(), t.name)
			}
		}
	})
	return who
}

// begin is the beginning of a turn. Until its end the token file stays, lost or
// not: others of a team may be changing files for it.
func (l *lease) begin() { l.alone(func() { l.under++ }) }

// settle is the end of a turn: what was announced is done, or will not be.
func (l *lease) settle() {
	l.alone(func() {
		l.under--
		if l.lost != nil {
			l.told(l.lastBreath(context.Background()))
		} else if len(l.note.Paths) > 0 {
			l.note.Paths = nil
			l.told(l.renew(context.Background())) // if it fails, too much stays announced
		}
	})
}

// end is the last that is done with a lease: it says that it is given up.
func (l *lease) end() (err error) {
	l.alone(func() {
		if l.lost != nil {
			return // and said so to whoever tried to change something
		}
		l.note.Released, l.note.Paths = true, nil
		if err = l.renew(context.Background()); errors.Is(err, storage.ErrFenced) {
			err = nil
		}
	})
	return err
}

// Held is a lease for one of those in the process who share it.
type Held struct {
	l       *lease
	release func() error
}

// Turn is as storage.Held's. With the end of a turn, what was announced in it
// is over.
func (h *Held) Turn(ctx context.Context) (end func(), err error) {
	next, err := h.l.turns.Turn(ctx)
	if err != nil {
		return nil, err
	}
	h.l.begin()
	return func() { h.l.settle(); next() }, nil
}

// Tell has tell called when the lease begins not to be renewed, or is lost,
// between changes; those return such errors themselves. It must be quick.
func (h *Held) Tell(tell func(error)) { h.l.alone(func() { h.l.tell = tell }) }

// Unlock is as storage.Held's.
func (h *Held) Unlock() error { return h.release() }

// Begin and Settle are Turn without the waiting for others, for who holds the
// lease beside a lock and takes the lock's turns.
func (h *Held) Begin() { h.l.begin() }

// Settle ends what Begin began.
func (h *Held) Settle() { h.l.settle() }

// Token returns the token. Of two holders the later has the higher.
func (h *Held) Token() int64 { return h.l.number }
