package checkpoint

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// move is steps 1 to 4, when no pin or lease can come in between. What fails
// before the last leaves all where it was, and nothing beside it.
func (q *quarantine) move(ctx context.Context, p string, cause error) (string, error) {
	indexes, others, err := filesOf(ctx, q.dir, p)
	if err != nil {
		return "", err
	}
	where, err := q.free(ctx, p)
	if err != nil {
		return "", err
	}
	made, err := q.copyTo(ctx, where, indexes, others)
	if err == nil {
		made = append(made, path.Join(where, filename.Cause))
		err = q.writeCause(ctx, where, p, cause, slices.Concat(indexes, others))
	}
	if err == nil {
		err = q.unlist(ctx, q.dir, p)
	}
	if err != nil {
		return "", alsoFailed(err, storage.RemoveAll(context.WithoutCancel(ctx), q.dir, made))
	}
	return where, storage.RemoveAll(ctx, q.dir, shelf.InWaves(indexes, others)...)
}

// copyTo gives the files their second names, and returns those.
func (q *quarantine) copyTo(ctx context.Context, where string, indexes, others []string) (made []string, err error) {
	for _, name := range slices.Concat(others, indexes) {
		to := path.Join(where, path.Base(name))
		made = append(made, to) // a link that is said to have failed may be there
		if err := storage.Link(ctx, q.dir, name, to); err != nil {
			return made, err
		}
	}
	return made, nil
}

// free finds a directory for a checkpoint. Where a crash has left second names
// of what is still in place, and no cause, these are taken away first. So is a
// cause alone: somebody has moved back what it was about.
func (q *quarantine) free(ctx context.Context, p string) (string, error) {
	for n := 1; ; n++ {
		where := filename.Quarantined(p, n)
		var there []storage.Info
		if err := shelf.EachFile(ctx, q.dir, where+"/", func(info storage.Info) { there = append(there, info) }); err != nil {
			return "", err
		}
		var again []string
		for _, info := range there {
			if path.Base(info.Name) == filename.Cause && len(there) == 1 {
				again = append(again, info.Name)
				continue
			}
			same, err := sameFiles(ctx, q.dir, info.Name, path.Join(path.Dir(p), path.Base(info.Name)))
			if err != nil {
				return "", err
			}
			if same {
				again = append(again, info.Name)
			}
		}
		switch {
		case len(there) == 0:
			return where, nil
		case len(again) == len(there):
			return where, storage.RemoveAll(ctx, q.dir, again)
		}
	}
}

// sameFiles reports whether two files, of which the second may be missing, have
// the same bytes.
func sameFiles(ctx context.Context, dir storage.Dir, a, b string) (bool, error) {
	size, sum, err := fileSum(ctx, dir, b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	was, wasSum, err := fileSum(ctx, dir, a)
	return err == nil && was == size && wasSum == sum, err
}

// fileSum returns size and CRC-32C of a file.
func fileSum(ctx context.Context, dir storage.Dir, name string) (int64, uint32, error) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	return n, sum.Sum32(), closing(f, err)
}
