// Package mem keeps files in memory: for tests, and for checkpoints that need
// not outlive their process. "Durable" means here: as long as the Dir.
package mem

import (
	"cmp"
	"context"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
)

// Dir returns a new, empty directory.
func Dir() storage.Dir {
	return &dir{files: make(map[string]content), locks: make(map[string]storage.Turns)}
}

// dir is a storage.Linker, Sharer, Locker and Excluder too. A Batcher would save nothing here.
type dir struct {
	mu    sync.RWMutex
	files map[string]content
	locks map[string]storage.Turns
}

// content is shared by everyone who opened the file, hence never changed.
type content struct {
	data []byte
	mod  time.Time
}

// begin checks what every operation checks first.
func begin(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return storage.CheckName(op, name)
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (d *dir) Open(ctx context.Context, name string) (storage.File, error) {
	if err := begin(ctx, "open", name); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	c, ok := d.files[name]
	if !ok {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return &file{ctx: ctx, name: name, data: c.data}, nil
}

func (d *dir) Create(ctx context.Context, name string) (storage.Pending, error) {
	if err := begin(ctx, "create", name); err != nil {
		return nil, err
	}
	return &pending{ctx: ctx, d: d, name: name}, nil
}

func (d *dir) Remove(ctx context.Context, name string) error {
	if err := begin(ctx, "remove", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.files[name]; !ok {
		return pathError("remove", name, fs.ErrNotExist)
	}
	delete(d.files, name)
	return nil
}

func (d *dir) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for _, info := range d.snapshot(prefix) {
			if err := ctx.Err(); err != nil {
				yield(storage.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(storage.Info{}, err)
		}
	}
}

// snapshot is taken whole, so that the loop over it may change the directory.
func (d *dir) snapshot(prefix string) []storage.Info {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var list []storage.Info
	for name, c := range d.files {
		if strings.HasPrefix(name, prefix) {
			list = append(list, storage.Info{Name: name, Size: int64(len(c.data)), ModTime: c.mod})
		}
	}
	slices.SortFunc(list, func(a, b storage.Info) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (d *dir) Link(ctx context.Context, oldname, newname string) error {
	if err := cmp.Or(begin(ctx, "link", oldname), begin(ctx, "link", newname)); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.files[oldname]
	if !ok {
		return pathError("link", oldname, fs.ErrNotExist)
	}
	if _, taken := d.files[newname]; taken {
		return pathError("link", newname, fs.ErrExist)
	}
	d.files[newname] = c
	return nil
}

func (d *dir) Share(ctx context.Context, oldname, newname string) (storage.Pending, error) {
	if err := cmp.Or(begin(ctx, "share", oldname), begin(ctx, "share", newname)); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	c, ok := d.files[oldname]
	if !ok {
		return nil, pathError("share", oldname, fs.ErrNotExist)
	}
	return &pending{ctx: ctx, d: d, name: newname, data: c.data, mod: c.mod, shared: true}, nil
}

func (d *dir) WriteNew(ctx context.Context, name string, data []byte) error {
	if err := begin(ctx, "create", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.files[name]; taken {
		return pathError("create", name, fs.ErrExist)
	}
	d.files[name] = content{slices.Clone(data), time.Now()}
	return nil
}

// Lock is always granted: no other process can see this Dir.
func (d *dir) Lock(ctx context.Context, name string) (storage.Held, error) {
	if err := begin(ctx, "lock", name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] == nil {
		d.locks[name] = storage.NewTurns()
	}
	return held{d.locks[name]}, nil
}

type held struct{ storage.Turns }

// Unlock does nothing: there is nobody to let in.
func (held) Unlock() error { return nil }
