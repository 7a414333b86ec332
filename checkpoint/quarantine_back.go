package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Unquarantine puts the files in the directory where, as Quarantined tells it,
// back to where they were, without looking at what is wrong with them. If files
// of another checkpoint of that path are there now nothing is moved, and the
// error wraps fs.ErrExist. A manager that opens the directory later adopts one
// that is whole and the newest. Of what was put back by hand it clears away the
// cause.json.
func Unquarantine(ctx context.Context, dir storage.Dir, where string) error {
	err := dirlock.Exclusive(ctx, dir, func(dir storage.Dir) error {
		return dirlock.BetweenSweeps(ctx, dir, dirlock.PinPatience, func(dir storage.Dir) error { return putBack(ctx, dir, where) })
	})
	if err != nil {
		return fmt.Errorf("put back %s: %w", where, err)
	}
	return nil
}

// lying is what lies in a directory of a quarantined checkpoint.
type lying struct {
	where, to       string
	indexes, others []string
	cause           []string
}

func putBack(ctx context.Context, dir storage.Dir, where string) error {
	if path.Base(path.Dir(where)) != filename.Quarantine || storage.CheckName("open", where) != nil {
		return fmt.Errorf("%q is no directory of a quarantined checkpoint: %w", where, fs.ErrInvalid)
	}
	l := &lying{where: where, to: path.Dir(path.Dir(where))}
	if err := shelf.EachFile(ctx, dir, where+"/", l.add); err != nil {
		return err
	}
	switch {
	case len(l.indexes)+len(l.others) > 0:
	case len(l.cause) > 0:
		return storage.RemoveAll(ctx, dir, l.cause)
	default:
		return &fs.PathError{Op: "open", Path: where, Err: fs.ErrNotExist}
	}
	there, err := l.there(ctx, dir)
	if err != nil {
		return err
	}
	var indexes, others []string
	for _, name := range slices.Concat(l.others, l.indexes) {
		to := l.back(name)
		if there[to] {
			continue
		}
		others, indexes = indexLast(others, indexes, to)
		if err := storage.Link(ctx, dir, name, to); err != nil {
			undone := storage.RemoveAll(context.WithoutCancel(ctx), dir, indexes, others)
			return alsoFailed(err, undone)
		}
	}
	return storage.RemoveAll(ctx, dir, l.indexes, append(l.others, l.cause...))
}

func (l *lying) add(info storage.Info) {
	if path.Base(info.Name) == filename.Cause {
		l.cause = append(l.cause, info.Name)
		return
	}
	l.others, l.indexes = indexLast(l.others, l.indexes, info.Name)
}

// indexLast sorts a name in: an index is what makes a checkpoint of the others.
func indexLast(others, indexes []string, name string) (moreOthers, moreIndexes []string) {
	if f, ok := filename.Parse(name); ok && f.Part == filename.Index {
		return others, append(indexes, name)
	}
	return append(others, name), indexes
}

// back returns where a file was.
func (l *lying) back(name string) string { return path.Join(l.to, path.Base(name)) }

// there returns what a call that was interrupted has put back, or a person who
// copied it. If that is not all, anything else of these paths is another
// checkpoint's.
func (l *lying) there(ctx context.Context, dir storage.Dir) (map[string]bool, error) {
	all, there, ours := slices.Concat(l.others, l.indexes), make(map[string]bool), make(map[string]bool)
	for _, name := range all {
		to := l.back(name)
		ours[to] = true
		is, err := shelf.Exists(ctx, dir, to)
		if err != nil {
			return nil, err
		}
		if !is {
			continue
		}
		if same, err := sameFiles(ctx, dir, name, to); !same || err != nil {
			return nil, cmp.Or(err, taken(to))
		}
		there[to] = true
	}
	if len(there) == len(all) {
		return there, nil
	}
	for p := range l.paths() {
		indexes, others, err := filesOf(ctx, dir, p)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Concat(others, indexes) {
			if !ours[name] {
				return nil, taken(name)
			}
		}
	}
	return there, nil
}

// paths returns the checkpoints that the files will be of.
func (l *lying) paths() map[string]bool {
	paths := make(map[string]bool)
	for _, name := range slices.Concat(l.others, l.indexes) {
		p := l.back(name)
		if f, ok := filename.Parse(p); ok {
			p = strings.TrimSuffix(f.Path, filename.RecoverySuffix)
		} else {
			p, _ = filename.CutV1Shard(p)
		}
		paths[p] = true
	}
	return paths
}

func taken(name string) error {
	return fmt.Errorf("a checkpoint of its name is there, and nothing was moved: %w", &fs.PathError{Op: "put back beside", Path: name, Err: fs.ErrExist})
}
