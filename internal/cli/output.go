package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ckpt-dev/ckpt/storage/local"
)

// toFile calls write with a file to be. A regular file appears whole or not
// at all, as checkpoints do; a device or a pipe (/dev/null, a FIFO) is written
// to as it is, and not replaced.
func toFile(ctx context.Context, path string, write func(*bufio.Writer) error) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return toDevice(path, write)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	if !isDir(dir) {
		// storage/local would make it; of a mistyped path that is no help.
		return absentf("%s: the directory %s does not exist", path, dir)
	}
	p, err := local.Dir(dir).Create(ctx, filepath.Base(path))
	if err != nil {
		return err
	}
	if err := buffered(p, write); err != nil {
		return errors.Join(err, p.Discard())
	}
	return p.Commit()
}

func toDevice(path string, write func(*bufio.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	err = buffered(f, write)
	return errors.Join(err, f.Close())
}

func buffered(w io.Writer, write func(*bufio.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<20)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
