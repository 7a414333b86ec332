package checkpoint

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
)

// place is where a checkpoint was found.
type place struct {
	path   string
	stored string   // path its files have
	v1     []string // the files of a V1 checkpoint
}

// errMissing is fs.ErrNotExist with the hint that TensorFlow gives: what Save
// was given is not yet the path (checkpoint/checkpoint.py, Checkpoint.restore).
func errMissing(p string) error {
	if _, _, ok := splitNumber(p); ok {
		return fs.ErrNotExist
	}
	return fmt.Errorf("%w (is a number missing, as the -1 of ckpt-1?)", fs.ErrNotExist)
}

// locatePlace finds the checkpoint of exactly this path.
func locatePlace(ctx context.Context, dir storage.Dir, p string, told Told) (place, error) {
	at, err := locateV2(ctx, dir, p, told)
	if err != nil || at.path != "" {
		return at, err
	}
	names, err := v1Files(ctx, dir, p)
	if err == nil && len(names) == 0 {
		err = &fs.PathError{Op: "open checkpoint", Path: p, Err: errMissing(p)}
	}
	base, shard := cutV1Shard(p)
	missing := missingShard(names)
	switch {
	case err != nil:
	case shard && missing == "":
		p = base
	case missing != "" && (!shard || strings.Contains(p, "?")):
		err = &fs.PathError{Op: "open", Path: missing, Err: fs.ErrNotExist}
	}
	return place{path: p, stored: p, v1: names}, err
}

// locateV2 returns a place without path if there is no such checkpoint. While
// a checkpoint is overwritten, what it was counts until the new one is whole.
func locateV2(ctx context.Context, dir storage.Dir, p string, told Told) (place, error) {
	overwriting, err := exists(ctx, dir, tensorbundle.IndexName(recoveryOf(p)))
	if err != nil {
		return place{}, err
	}
	if overwriting {
		sets, err := scan(ctx, dir, p+".")
		if err != nil {
			return place{}, err
		}
		ok, err := isDescribed(ctx, dir, sets[p], told)
		if rec := sets[recoveryOf(p)]; err != nil || !ok && rec != nil && rec.complete() {
			return place{path: p, stored: recoveryOf(p)}, err
		}
	}
	ok, err := exists(ctx, dir, tensorbundle.IndexName(p))
	if err != nil || !ok {
		return place{}, err
	}
	return place{path: p, stored: p}, nil
}
