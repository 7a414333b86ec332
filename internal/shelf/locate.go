package shelf

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Place is where a checkpoint was found.
type Place struct {
	Path   string
	Stored string   // path its files have
	V1     []string // the files of a V1 checkpoint
}

// errMissing is fs.ErrNotExist with the hint that TensorFlow gives: what Save
// was given is not yet the path (checkpoint/checkpoint.py, Checkpoint.restore).
func errMissing(p string) error {
	if _, _, ok := filename.SplitNumber(p); ok {
		return fs.ErrNotExist
	}
	return fmt.Errorf("%w (is a number missing, as the -1 of ckpt-1?)", fs.ErrNotExist)
}

// Locate finds the checkpoint of exactly this path.
func Locate(ctx context.Context, dir storage.Dir, p string, told Told) (Place, error) {
	at, err := locateV2(ctx, dir, p, told)
	if err != nil || at.Path != "" {
		return at, err
	}
	names, err := v1Files(ctx, dir, p)
	if err == nil && len(names) == 0 {
		err = &fs.PathError{Op: "open checkpoint", Path: p, Err: fmt.Errorf("there is no %s: %w", tensorbundle.IndexName(p), errMissing(p))}
	}
	base, shard := filename.CutV1Shard(p)
	missing := filename.MissingV1Shard(names)
	switch {
	case err != nil:
	case shard && missing == "":
		p = base
	case missing != "" && (!shard || strings.Contains(p, "?")):
		err = &fs.PathError{Op: "open", Path: missing, Err: fs.ErrNotExist}
	}
	return Place{Path: p, Stored: p, V1: names}, err
}

// locateV2 returns a place without path if there is no such checkpoint. While
// a checkpoint is overwritten, what it was counts until the new one is whole.
func locateV2(ctx context.Context, dir storage.Dir, p string, told Told) (Place, error) {
	overwriting, err := Exists(ctx, dir, tensorbundle.IndexName(filename.Recovery(p)))
	if err != nil {
		return Place{}, err
	}
	if overwriting {
		sets, err := Scan(ctx, dir, p+".")
		if err != nil {
			return Place{}, err
		}
		ok, err := IsDescribed(ctx, dir, sets[p], told)
		if rec := sets[filename.Recovery(p)]; err != nil || !ok && rec != nil && rec.Complete() {
			return Place{Path: p, Stored: filename.Recovery(p)}, err
		}
	}
	ok, err := Exists(ctx, dir, tensorbundle.IndexName(p))
	if err != nil || !ok {
		return Place{}, err
	}
	return Place{Path: p, Stored: p}, nil
}
