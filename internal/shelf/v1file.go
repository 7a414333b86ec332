package shelf

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// v1Files returns the files of the V1 checkpoint p: a file of that name, or
// shards of it, "p-00000-of-00002". p may also be one of the shards, or all of
// them as TensorFlow 1 writes it into state files, "p-?????-of-00002".
func v1Files(ctx context.Context, dir storage.Dir, p string) ([]string, error) {
	base, ok := filename.CutV1Shard(p)
	if !ok {
		if is, err := IsV1(ctx, dir, p); is || err != nil {
			return []string{p}, err
		}
	}
	var names []string
	err := EachFile(ctx, dir, base+"-", func(info storage.Info) {
		if b, ok := filename.CutV1Shard(info.Name); ok && b == base && info.Size > 0 {
			names = append(names, info.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if is, err := IsV1(ctx, dir, name); !is || err != nil {
			return nil, err
		}
	}
	return names, nil
}

// IsV1 reports whether name is a file in the V1 format.
func IsV1(ctx context.Context, dir storage.Dir, name string) (bool, error) {
	f, err := dir.Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid): // missing, or a directory
		return false, nil
	case err != nil:
		return false, err
	}
	is := tensorslice.IsV1(f, f.Size())
	return is, f.Close()
}
