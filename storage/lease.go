package storage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LeaseOptions change the lease of who writes to a place whose locks do not do.
// Nil and zero values are the defaults.
type LeaseOptions struct {
	// TTL is after what time without a sign of life a holder is taken for dead;
	// it gives six in that time. Each waits by its own clock, so clocks need
	// not agree. Too short a time disturbs, but loses nothing. Default: a minute.
	TTL time.Duration
	// Holder is what others are told of who holds the lease. Default: process,
	// program and host. Two Holders of one process keep each other out.
	Holder string
}

// WithLease returns d for writers who exclude each other by a lease instead of
// a lock. It is for places whose locks do not reach all machines: NFS mounted
// with nolock or local_lock, many FUSE file systems. All who write there must
// use it, at least at first: where there was a lease once, everybody takes one.
// Places that say themselves that they have no locks need no WithLease.
//
// A lease is a file .ckpt.writers/checkpoint@<token>.json, which its holder
// writes again and again. Who finds it unchanged for its TTL makes the next
// token; the former holder, should he still live, sees that before he changes
// anything else. What he had announced to change just then nobody else touches.
func WithLease(d Dir, o *LeaseOptions) Dir {
	if o == nil {
		o = new(LeaseOptions)
	}
	return &leasing{d, *o}
}

// LeaseOf returns the options of the WithLease that d comes from, if any.
func LeaseOf(d Dir) LeaseOptions {
	if l, ok := d.(leaser); ok {
		return l.lease()
	}
	return LeaseOptions{}
}

type leaser interface{ lease() LeaseOptions }

func (l *leasing) lease() LeaseOptions  { return l.o }
func (s *sub) lease() LeaseOptions      { return LeaseOf(s.d) }
func (t *trace) lease() LeaseOptions    { return LeaseOf(t.d) }
func (r *readOnly) lease() LeaseOptions { return LeaseOf(r.d) }

type leasing struct {
	Dir
	o LeaseOptions
}

// String returns where it is, for errors and logs.
func (l *leasing) String() string { return fmt.Sprint(l.Dir) }

// Lock says that there are no locks, whose place the lease takes.
func (l *leasing) Lock(_ context.Context, name string) (Held, error) {
	return nil, pathError("lock", name, fmt.Errorf("a lease is to be used: %w", errors.ErrUnsupported))
}

func (l *leasing) CommitAll(ctx context.Context, waves ...[]Pending) error {
	return CommitAll(ctx, l.Dir, waves...)
}

func (l *leasing) RemoveAll(ctx context.Context, waves ...[]string) error {
	return RemoveAll(ctx, l.Dir, waves...)
}

func (l *leasing) Link(ctx context.Context, oldname, newname string) error {
	return Link(ctx, l.Dir, oldname, newname)
}

func (l *leasing) Append(ctx context.Context, name string) (Growing, error) {
	return Append(ctx, l.Dir, name)
}

func (l *leasing) WriteNew(ctx context.Context, name string, data []byte) error {
	return WriteNew(ctx, l.Dir, name, data)
}
