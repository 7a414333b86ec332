//go:build interop

package interop

import (
	"context"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// save makes the calls that a description names, on a disk, and returns the
// prefix as TensorFlow wants it.
func save(t *testing.T, g *graphs.Graph, b *graphs.Built, dir string) string {
	t.Helper()
	ctx, place := context.Background(), local.Dir(dir)
	c := checkpoint.New(b.Root(), b.Attached(), nil)
	next, done := saver(t, g, c, place)
	var path string
	for i := range g.Saves {
		if i == 1 {
			for _, late := range b.Late() {
				c.Track(late.Name, late.Object)
			}
		}
		var err error
		if path, err = next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := done(ctx); err != nil {
		t.Fatal(err)
	}
	return dir + "/" + path
}

type (
	saveFunc  = func(context.Context) (string, error)
	closeFunc = func(context.Context) error
)

// saver returns the call that a description wants, and what ends it.
func saver(t *testing.T, g *graphs.Graph, c *checkpoint.Checkpoint, dir storage.Dir) (saveFunc, closeFunc) {
	t.Helper()
	nothing := func(context.Context) error { return nil }
	switch g.Call {
	case graphs.Write:
		return func(ctx context.Context) (string, error) { return "ckpt", c.Write(ctx, dir, "ckpt") }, nothing
	case graphs.Save:
		return func(ctx context.Context) (string, error) { return c.Save(ctx, dir, "ckpt") }, nothing
	}
	o := new(checkpoint.ManagerOptions)
	if g.MaxToKeep != nil {
		o.MaxToKeep = *g.MaxToKeep
	}
	m, err := checkpoint.NewManager(context.Background(), c, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) (string, error) { return m.Save(ctx, nil) }, m.Close
}

func build(t *testing.T, g *graphs.Graph) *graphs.Built {
	t.Helper()
	b, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// restore restores a checkpoint of g into altered objects; all of it must be
// used, and every value be back.
func restore(t *testing.T, g *graphs.Graph, dir string) {
	t.Helper()
	ctx, place := context.Background(), storage.ReadOnly(local.Dir(dir))
	b := build(t, g.Altered())
	c := checkpoint.New(b.Root(), b.Attached(), nil)
	if g.Saves > 1 {
		for _, late := range b.Late() {
			c.Track(late.Name, late.Object)
		}
	}
	read, path := c.Read, "ckpt"
	if g.Call != graphs.Write {
		latest, err := checkpoint.Latest(ctx, place)
		if err != nil {
			t.Fatal(err)
		}
		read, path = c.Restore, latest
	}
	status, err := read(ctx, place, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := status.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed() = %v", err)
	}
	if err := b.Differs(build(t, g)); err != nil {
		t.Error(err)
	}
}
