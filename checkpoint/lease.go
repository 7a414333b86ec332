package checkpoint

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	whois "github.com/ckpt-dev/ckpt/internal/holder"
	"github.com/ckpt-dev/ckpt/storage"
)

const leaseSchema = 1

const (
	defaultTTL = 5 * time.Minute // longer than the pauses of most programs
	maxTTL     = 10 * 365 * 24 * time.Hour
)

// LeaseOptions change a lease. Nil and zero values are the defaults.
type LeaseOptions struct {
	// TTL is for how long the lease outlives a holder that died; it is
	// renewed three times as often. It is measured by the clock of the
	// storage, which dates the files, so that the clocks of the machines need
	// not agree. Default: five minutes.
	TTL time.Duration
	// Holder is what people are told about who holds it. Default: the
	// process and its host.
	Holder string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Lease keeps a checkpoint that is being read from being removed by
// retention, in whatever process. TensorFlow's manager knows nothing of it.
type Lease struct {
	dir  storage.Dir
	path string // of the checkpoint
	name string // of its file
	now  func() time.Time
	ttl  time.Duration
	stop context.CancelFunc
	done chan struct{} // closed when nobody renews any more

	mu   sync.Mutex // guards what follows
	file leaseJSON
	err  error // of the last renewal
	over bool  // ctx has ended
}

// leaseJSON is the file that is the lease.
type leaseJSON struct {
	Schema  int       `json:"schema"`
	Path    string    `json:"path"`
	Holder  string    `json:"holder"`
	Expires time.Time `json:"expires"`
	Seconds float64   `json:"ttl_seconds"`
}

// TakeLease takes a lease on the checkpoint path of dir, which is renewed
// until Release, or until ctx ends. When it returns without error the
// checkpoint is there, and no manager, prune or sweep removes it before the
// lease ends. Many may hold leases on one checkpoint.
//
// A checkpoint that is not there is an error that wraps fs.ErrNotExist. Where
// one may not write, the error is another one, and reading without a lease is
// what remains.
func TakeLease(ctx context.Context, dir storage.Dir, path string, o *LeaseOptions) (*Lease, error) {
	if o == nil {
		o = new(LeaseOptions)
	}
	l := &Lease{dir: dir, path: path, now: o.Now, ttl: o.TTL, done: make(chan struct{})}
	holder := o.Holder
	if l.ttl <= 0 {
		l.ttl = defaultTTL
	}
	if l.now == nil {
		l.now = time.Now
	}
	if holder == "" {
		holder = whois.This()
	}
	if err := filename.Check(path); err != nil {
		return nil, fmt.Errorf("lease %s: %w", path, err)
	}
	l.name = leasePrefix(path) + rand.Text() + leaseSuffix
	l.file = leaseJSON{Schema: leaseSchema, Path: path, Holder: holder, Seconds: l.ttl.Seconds()}
	if err := l.take(ctx); err != nil {
		return nil, fmt.Errorf("lease %s: %w", path, err)
	}
	ctx, l.stop = context.WithCancel(ctx)
	go l.renew(ctx, max(l.ttl/3, time.Millisecond))
	return l, nil
}

// take writes the lease and then looks whether there is still something to
// hold. Between the two there is no sweep.
func (l *Lease) take(ctx context.Context) error {
	// A look before spares the directory a file if there is nothing at all.
	if _, err := locatePath(ctx, l.dir, l.path); err != nil {
		return err
	}
	return dirlock.BetweenSweeps(ctx, l.dir, dirlock.PinPatience, func(dir storage.Dir) error {
		if err := dirlock.Free(dir, l.path); err != nil {
			return err
		}
		if err := l.write(ctx); err != nil {
			return err
		}
		if _, err := locatePath(ctx, l.dir, l.path); err != nil {
			return alsoFailed(err, l.remove(context.WithoutCancel(ctx)))
		}
		return nil
	})
}

// Path returns the path of the checkpoint.
func (l *Lease) Path() string { return l.path }

// Err returns why the lease is lost, nil while it is held: it could not be
// renewed in time, so that the checkpoint may be removed, or was.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.over && l.now().Before(l.file.Expires):
		return nil
	case l.err == nil:
		return fmt.Errorf("lease %s: ran out at %s", l.path, l.file.Expires.Format(time.RFC3339))
	}
	return fmt.Errorf("lease %s: %w", l.path, l.err)
}

// Release ends the lease. A second Release does nothing.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.done // or a renewal might bring the file back
	if err := l.remove(ctx); err != nil {
		return fmt.Errorf("release lease %s: %w", l.path, err)
	}
	return nil
}

// write writes the file anew. It need not survive a loss of power: its holder
// does not.
func (l *Lease) write(ctx context.Context) error {
	next := l.file
	next.Expires = l.now().UTC().Add(l.ttl)
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := storage.WriteFileSoon(ctx, l.dir, l.name, append(text, '\n')); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file, l.err = next, nil
	return nil
}

func (l *Lease) remove(ctx context.Context) error {
	if err := l.dir.Remove(ctx, l.name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// renew writes the file again and again. A lease that ran out meanwhile, as
// when the machine slept, is taken anew.
func (l *Lease) renew(ctx context.Context, every time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.end(ctx)
			return
		case <-tick.C:
		}
		again := l.write
		if !l.now().Before(l.file.Expires) { // nobody else changes it now
			again = l.take
		}
		if err := again(ctx); err != nil {
			l.lose(err)
		}
	}
}

func (l *Lease) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// end is for those who forget Release: what is left if this fails runs out.
func (l *Lease) end(ctx context.Context) {
	_ = l.remove(context.WithoutCancel(ctx))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.over = ctx.Err(), true
}

// The file of a lease on "ckpt-7" is ".ckpt.leases/ckpt-7@<id>.json".
const leaseSuffix = ".json"

func leasePrefix(path string) string { return dirlock.Leases + "/" + path + "@" }

// leased tells a lease's file and the path it is about.
func leased(name string) (path string, ok bool) {
	rest, mine := strings.CutPrefix(name, dirlock.Leases+"/")
	rest, json := strings.CutSuffix(rest, leaseSuffix)
	at := strings.LastIndexByte(rest, '@')
	if !mine || !json || at <= 0 {
		return "", false
	}
	return rest[:at], true
}
