package cli

import (
	"context"

	"github.com/ckpt-dev/ckpt/storage"
)

// countingDir tells how many bytes are read through it, and of which file. It
// can do all that the Dir behind it can: who puts a checkpoint aside needs locks
// and links.
type countingDir struct {
	storage.Dir
	read func(name string, n int)
}

// Open returns a file whose reads are counted.
func (d countingDir) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := d.Dir.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return countingFile{f, func(n int) { d.read(name, n) }}, nil
}

type countingFile struct {
	storage.File
	read func(n int)
}

// ReadAt reads and counts.
func (f countingFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.read(n)
	return n, err
}

// CommitAll is storage.CommitAll of the Dir behind.
func (d countingDir) CommitAll(ctx context.Context, waves ...[]storage.Pending) error {
	return storage.CommitAll(ctx, d.Dir, waves...)
}

// RemoveAll is storage.RemoveAll of the Dir behind.
func (d countingDir) RemoveAll(ctx context.Context, waves ...[]string) error {
	return storage.RemoveAll(ctx, d.Dir, waves...)
}

// Link is storage.Link of the Dir behind.
func (d countingDir) Link(ctx context.Context, oldname, newname string) error {
	return storage.Link(ctx, d.Dir, oldname, newname)
}

// Share is storage.Share of the Dir behind.
func (d countingDir) Share(ctx context.Context, oldname, newname string) (storage.Pending, error) {
	return storage.Share(ctx, d.Dir, oldname, newname)
}

// Lock is storage.Lock of the Dir behind.
func (d countingDir) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, d.Dir, name)
}

// Append is storage.Append of the Dir behind.
func (d countingDir) Append(ctx context.Context, name string) (storage.Growing, error) {
	return storage.Append(ctx, d.Dir, name)
}

// Leftovers is storage.Leftovers of the Dir behind.
func (d countingDir) Leftovers(ctx context.Context) ([]storage.Info, error) {
	return storage.Leftovers(ctx, d.Dir)
}

// WriteNew is storage.WriteNew of the Dir behind.
func (d countingDir) WriteNew(ctx context.Context, name string, data []byte) error {
	return storage.WriteNew(ctx, d.Dir, name, data)
}

// Space is storage.Room of the Dir behind.
func (d countingDir) Space(ctx context.Context) (storage.Space, error) {
	return storage.Room(ctx, d.Dir)
}
