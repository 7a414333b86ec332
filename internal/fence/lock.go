package fence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/internal/holder"
	"github.com/ckpt-dev/ckpt/storage"
)

// leases are those this process holds, as storage/local has its locks: what is
// shared within a process is told by the id in the token file, because Dirs
// cannot tell whether they are one place.
var leases struct {
	mu     sync.Mutex
	held   []*lease
	claims map[string]*sync.Mutex // by holder
	silent map[string]sighting    // by id
}

// sighting is since when a token file is known to be as it is. It is remembered
// from one call to the next: who asks often, each time with little patience,
// finds out too that a holder is dead.
type sighting struct {
	text  string
	since time.Time
}

// maxSightings is more than the places a process writes to.
const maxSightings = 100

// firstSeen returns when this process first saw t as it is now.
func firstSeen(t token) time.Time {
	leases.mu.Lock()
	defer leases.mu.Unlock()
	now := time.Now()
	if s, ok := leases.silent[t.ID]; ok && s.text == t.text && !s.since.After(now) {
		return s.since
	}
	if leases.silent == nil || len(leases.silent) >= maxSightings {
		leases.silent = make(map[string]sighting)
	}
	leases.silent[t.ID] = sighting{t.text, now}
	return now
}

// claiming lets one of a holder's at a time look and claim, so that the next
// sees what it may share.
func claiming(who string) *sync.Mutex {
	leases.mu.Lock()
	defer leases.mu.Unlock()
	if leases.claims == nil {
		leases.claims = make(map[string]*sync.Mutex)
	}
	if leases.claims[who] == nil {
		leases.claims[who] = new(sync.Mutex)
	}
	return leases.claims[who]
}

// Terms are those of one call of Lock.
type Terms struct {
	TTL      time.Duration // at most; 0: as the Dir's options say
	Patience time.Duration // for how long a silent holder is watched at most; 0: to the end
}

// Lock takes the lease that stands for the lock name of d. If it is held it
// waits until its holder gives a sign of life, which is an error that wraps
// storage.ErrLocked, or has given none for its TTL, which makes the lease this
// process's. It needs a place that knows who made a file; others give an error
// that wraps errors.ErrUnsupported.
func Lock(ctx context.Context, d storage.Dir, name string, t Terms) (*Held, error) {
	o := storage.LeaseOf(base(d))
	if o.TTL <= 0 || t.TTL > 0 && t.TTL < o.TTL {
		o.TTL = t.TTL
	}
	if o.TTL <= 0 || o.TTL > maxTTL {
		o.TTL = defaultTTL
	}
	if o.Holder == "" {
		o.Holder = holder.This()
	}
	dead := token{}
	for {
		l, found, err := claim(ctx, base(d), name, o, dead)
		if err != nil {
			return nil, fmt.Errorf("lease %s: %w", name, err)
		}
		if l != nil {
			return &Held{l: l, release: sync.OnceValue(l.release)}, nil
		}
		if dead, err = watch(ctx, base(d), name, found, t.Patience); err != nil {
			return nil, err
		}
	}
}

// claim returns the lease if it can be had now, and else who has it. dead is
// a token whose holder was found silent.
func claim(ctx context.Context, d storage.Dir, name string, o storage.LeaseOptions, dead token) (*lease, token, error) {
	one := claiming(o.Holder)
	one.Lock()
	defer one.Unlock()
	top, err := newest(ctx, d, name)
	if err != nil {
		return nil, top, err
	}
	if l := share(top.ID, o.Holder); l != nil {
		return l, top, nil
	}
	if top.number > 0 && !top.Released && (top.name != dead.name || top.text != dead.text) {
		return nil, top, nil
	}
	l, err := take(ctx, d, name, o, top.number+1)
	return l, top, err
}

// share returns the lease of this id if this process has it.
func share(id, who string) *lease {
	leases.mu.Lock()
	defer leases.mu.Unlock()
	for _, l := range leases.held {
		if id != "" && l.note.ID == id && l.note.Holder == who {
			l.count++
			return l
		}
	}
	return nil
}

// take makes the token. It returns nil if another was faster.
func take(ctx context.Context, d storage.Dir, name string, o storage.LeaseOptions, number int64) (*lease, error) {
	l := &lease{d: d, lock: name, number: number, turns: storage.NewTurns(), own: storage.NewTurns(), count: 1, stop: make(chan struct{}), stopped: make(chan struct{})}
	l.note = note{Schema: schema, ID: rand.Text(), Holder: o.Holder, Since: time.Now().UTC(), Seconds: o.TTL.Seconds()}
	text, err := l.note.text()
	if err != nil {
		return nil, err
	}
	switch err := storage.WriteNew(ctx, d, fileName(name, number), text); {
	case errors.Is(err, fs.ErrExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	inForce, err := l.first(ctx)
	if err != nil || !inForce {
		return nil, errors.Join(err, l.withdraw(ctx))
	}
	leases.mu.Lock()
	leases.held = append(leases.held, l)
	leases.mu.Unlock()
	go l.beat(o.TTL / beats)
	return l, nil
}

// first looks at all tokens after the lease's own was made: whether it is in
// force, and what the holders of lower ones have announced. Who had nothing
// under way is not needed any more.
func (l *lease) first(ctx context.Context) (inForce bool, err error) {
	list, err := numbers(ctx, l.d, l.lock)
	if err != nil || !slices.Contains(list, l.number) || slices.Max(list) > l.number {
		return false, err
	}
	l.asleep = make(map[int64]token)
	for _, n := range list {
		if n == l.number {
			continue
		}
		t, err := read(ctx, l.d, l.lock, n)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return false, err
		case t.Released || len(t.Paths) == 0:
			// It does no harm if it stays.
			_ = l.d.Remove(ctx, t.name)
		default:
			l.asleep[n] = t
		}
	}
	return true, nil
}

// release gives the lease up when the last of those who share it does.
func (l *lease) release() error {
	leases.mu.Lock()
	l.count--
	last := l.count == 0
	if last {
		leases.held = slices.DeleteFunc(leases.held, func(k *lease) bool { return k == l })
	}
	leases.mu.Unlock()
	if !last {
		return nil
	}
	close(l.stop)
	<-l.stopped
	if err := l.end(); err != nil {
		return fmt.Errorf("release lease %s: %w", l.lock, err)
	}
	return nil
}

// watch waits until the holder of a token gives a sign of life, or should have.
func watch(ctx context.Context, d storage.Dir, lock string, seen token, patience time.Duration) (dead token, err error) {
	ttl := seen.ttl()
	begin := time.Now()
	end := firstSeen(seen).Add(ttl) // by this machine's clock that is never set
	for pause := min(time.Millisecond, ttl/beats); ; pause = min(2*pause, ttl/beats/4) {
		if err := wait(ctx, min(pause, time.Until(end))); err != nil {
			return token{}, errors.Join(silent(lock, seen, time.Until(end)), err)
		}
		over := !time.Now().Before(end) // before the look, which must not be older
		now, err := read(ctx, d, lock, seen.number)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && now.Released:
			return token{}, nil // it has changed hands, or is free
		case err != nil:
			return token{}, err
		case now.text != seen.text:
			return token{}, fmt.Errorf("lease %s: %w (%s, who renews it); end it, or use another directory", lock, storage.ErrLocked, now.who())
		case over:
			return now, nil
		case patience > 0 && time.Since(begin) >= patience:
			return token{}, silent(lock, now, time.Until(end))
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// silent is the error of those who do not wait to the end.
func silent(lock string, t token, left time.Duration) error {
	return fmt.Errorf("lease %s: %w (%s, who gives no sign of life; if it is dead the lease is free in %v)",
		lock, storage.ErrLocked, t.who(), max(left, 0).Round(time.Millisecond))
}
