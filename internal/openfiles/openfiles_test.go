package openfiles

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// counted is a directory that counts how often a file is opened.
func counted(t *testing.T) (dir storage.Dir, opened *int) {
	t.Helper()
	opened = new(int)
	dir = storage.WithTrace(mem.Dir(), func(line string) {
		if strings.HasPrefix(line, "open") {
			*opened++
		}
	})
	write(t, dir, "text")
	return dir, opened
}

func write(t *testing.T, dir storage.Dir, text string) {
	t.Helper()
	if err := storage.WriteFile(t.Context(), dir, "f", []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(f *File) (string, error) {
	b := make([]byte, f.Size)
	_, err := f.ReadAt(b, 0)
	return string(b), err
}

func TestFileIsOpenedOnceUntilClose(t *testing.T) {
	dir, opened := counted(t)
	files := New(t.Context(), dir)
	for range 2 {
		f, err := files.File("f")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(f); got != "text" || err != nil {
			t.Errorf("ReadAt = %q, %v, want text", got, err)
		}
	}
	if *opened != 1 {
		t.Errorf("opened %d times, want 1", *opened)
	}
	if err := files.Close(); err != nil {
		t.Error(err)
	}
}

func TestFileIsReadAfterClose(t *testing.T) {
	dir, opened := counted(t)
	ctx, cancel := context.WithCancel(t.Context())
	files := New(ctx, dir)
	f, err := files.File("f")
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	cancel() // the caller of long ago
	if got, err := read(f); got != "text" || err != nil || *opened != 2 {
		t.Errorf("ReadAt = %q, %v, after %d opens, want text after 2", got, err, *opened)
	}
	again, err := files.File("f")
	if err != nil || again != f {
		t.Errorf("File = %p, %v, want the same %p", again, err, f)
	}
	write(t, dir, "longer")
	if _, err := read(f); err == nil || !strings.Contains(err.Error(), "f: has 6 bytes, had 4") {
		t.Errorf("ReadAt = %v, want an error that tells the sizes", err)
	}
}

func TestReadingObeysTheContextUntilClose(t *testing.T) {
	dir, _ := counted(t)
	ctx, cancel := context.WithCancel(t.Context())
	files := New(ctx, dir)
	cancel()
	if _, err := files.File("f"); !errors.Is(err, context.Canceled) {
		t.Errorf("File = %v, want %v", err, context.Canceled)
	}
}
