package fence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Guard returns d for who holds h: each change is announced, and refused with
// storage.ErrFenced when the lease is lost. Files of checkpoints that a former
// holder may still change are not made.
func (h *Held) Guard(d storage.Dir) storage.Dir { return &guard{d, h.l} }

// Token returns the token that d's changes are made under, 0 for none: that of
// the first guard.
func Token(d storage.Dir) (n int64) {
	for g, ok := d.(*guard); ok; g, ok = d.(*guard) {
		n, d = g.l.number, g.Dir
	}
	return n
}

// Busy returns who may still change the checkpoint path of d though it has
// lost the lease, "" if nobody may.
func Busy(d storage.Dir, path string) string {
	for g, ok := d.(*guard); ok; g, ok = d.(*guard) {
		if who := g.l.busy(path); who != "" {
			return who
		}
		d = g.Dir
	}
	return ""
}

// base returns d without guards: token files are not guarded by each other.
func base(d storage.Dir) storage.Dir {
	for g, ok := d.(*guard); ok; g, ok = d.(*guard) {
		d = g.Dir
	}
	return d
}

type guard struct {
	storage.Dir
	l *lease
}

// String returns where it is, for errors and logs.
func (g *guard) String() string { return fmt.Sprint(g.Dir) }

// pathsOf returns the checkpoints that the files belong to.
func pathsOf(names []string) (paths []string) {
	for _, name := range names {
		if f, ok := filename.Parse(name); ok {
			paths = append(paths, strings.TrimSuffix(f.Path, filename.RecoverySuffix))
		}
	}
	return paths
}

// change runs do, which changes these files.
func (g *guard) change(ctx context.Context, names []string, do func() error) error {
	if err := g.l.enter(ctx, pathsOf(names)); err != nil {
		return err
	}
	err := do()
	if failed := g.l.leave(ctx); failed != nil {
		err = errors.Join(err, failed)
	}
	return err
}

// may refuses to make files that somebody may still change.
func (g *guard) may(op string, names ...string) error {
	for _, p := range pathsOf(names) {
		if who := g.l.busy(p); who != "" {
			return &fs.PathError{Op: op, Path: p, Err: fmt.Errorf("%w: it may still be changed by %s", storage.ErrLocked, who)}
		}
	}
	return nil
}

// make is change for files that are made.
func (g *guard) make(ctx context.Context, op string, names []string, do func() error) error {
	if err := g.may(op, names...); err != nil {
		return err
	}
	return g.change(ctx, names, do)
}

// Create is refused early, before much is written; it changes nothing.
func (g *guard) Create(ctx context.Context, name string) (storage.Pending, error) {
	if err := g.may("create", name); err != nil {
		return nil, err
	}
	p, err := g.Dir.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &guarded{p, g, ctx, name}, nil
}

// Share is refused early, as Create is.
func (g *guard) Share(ctx context.Context, oldname, newname string) (storage.Pending, error) {
	if err := g.may("share", newname); err != nil {
		return nil, err
	}
	p, err := storage.Share(ctx, g.Dir, oldname, newname)
	if err != nil {
		return nil, err
	}
	return &guarded{p, g, ctx, newname}, nil
}

func (g *guard) Remove(ctx context.Context, name string) error {
	return g.change(ctx, []string{name}, func() error { return g.Dir.Remove(ctx, name) })
}

// RemoveAll looks before each wave. The empty wave makes the one before it
// durable.
func (g *guard) RemoveAll(ctx context.Context, waves ...[]string) error {
	for i, wave := range waves {
		if len(wave) == 0 {
			continue
		}
		err := g.change(ctx, wave, func() error {
			if i == len(waves)-1 {
				return storage.RemoveAll(ctx, g.Dir, wave)
			}
			return storage.RemoveAll(ctx, g.Dir, wave, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// CommitAll looks before each wave.
func (g *guard) CommitAll(ctx context.Context, waves ...[]storage.Pending) error {
	for i, wave := range waves {
		if len(wave) == 0 {
			continue
		}
		names, inner := g.unwrap(wave)
		err := g.make(ctx, "commit", names, func() error { return storage.CommitAll(ctx, g.Dir, inner) })
		if err != nil {
			return errors.Join(err, discard(waves[i:]))
		}
	}
	return nil
}

func (g *guard) unwrap(wave []storage.Pending) (names []string, inner []storage.Pending) {
	for _, p := range wave {
		if own, ok := p.(*guarded); ok {
			names = append(names, own.name)
			if own.g == g { // and not that of a guard below
				p = own.Pending
			}
		}
		inner = append(inner, p)
	}
	return names, inner
}

func discard(waves [][]storage.Pending) (err error) {
	for _, wave := range waves {
		for _, p := range wave {
			err = errors.Join(err, p.Discard())
		}
	}
	return err
}

func (g *guard) Link(ctx context.Context, oldname, newname string) error {
	return g.make(ctx, "link", []string{newname}, func() error { return storage.Link(ctx, g.Dir, oldname, newname) })
}

func (g *guard) WriteNew(ctx context.Context, name string, data []byte) error {
	return g.make(ctx, "create", []string{name}, func() error { return storage.WriteNew(ctx, g.Dir, name, data) })
}

// Append is not looked after: what grows is no checkpoint.
func (g *guard) Append(ctx context.Context, name string) (storage.Growing, error) {
	return storage.Append(ctx, g.Dir, name)
}

func (g *guard) Leftovers(ctx context.Context) ([]storage.Info, error) {
	return storage.Leftovers(ctx, g.Dir)
}

func (g *guard) Space(ctx context.Context) (storage.Space, error) { return storage.Room(ctx, g.Dir) }

// Lock takes no notice of the lease that is held.
func (g *guard) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, g.Dir, name)
}

type guarded struct {
	storage.Pending
	g    *guard
	ctx  context.Context
	name string
}

func (p *guarded) Commit() error {
	return p.g.make(p.ctx, "commit", []string{p.name}, p.Pending.Commit)
}

func (p *guarded) WriteKept(b []byte) (int, error) { return storage.WriteKept(p.Pending, b) }

func (p *guarded) Publish() error {
	return p.g.make(p.ctx, "commit", []string{p.name}, func() error { return storage.Publish(p.Pending) })
}
