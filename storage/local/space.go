package local

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

// Space asks about the directory or, while it does not exist, about the one it
// will be made in.
func (d *dir) Space(ctx context.Context) (storage.Space, error) {
	if err := ctx.Err(); err != nil {
		return storage.Space{}, err
	}
	s, ok := d.fsys.(vfs.Spacer)
	if !ok {
		return storage.Space{}, pathError("space", d.root, errors.ErrUnsupported)
	}
	in := filepath.Clean(d.root)
	for {
		space, err := s.Space(in)
		parent := filepath.Dir(in)
		if !errors.Is(err, fs.ErrNotExist) || parent == in {
			return storage.Space(space), err
		}
		in = parent
	}
}
