package local_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func appendTwo(ctx context.Context, d storage.Dir) error {
	g, err := storage.Append(ctx, d, "logs/events")
	if err != nil {
		return err
	}
	_, err = g.Write([]byte("one"))
	if err == nil {
		_, err = g.Write([]byte("two"))
	}
	if closed := g.Close(); err == nil {
		err = closed
	}
	return err
}

const appendTrace = `lstat logs
stat logs
stat .
mkdir logs
syncdir .
create logs/events
syncdir logs
write logs/events (3 bytes)
write logs/events (3 bytes)
sync logs/events
close logs/events
`

func TestOrderOfOperationsOfAppend(t *testing.T) {
	root := t.TempDir()
	fsys, recorder := vfstest.Record(vfs.OS())
	if err := appendTwo(t.Context(), local.DirOn(fsys, root)); err != nil {
		t.Fatal(err)
	}
	if got := traceText(root, recorder.Take()); got != appendTrace {
		t.Errorf("operations:\n%swant:\n%s", got, appendTrace)
	}
}

func TestEveryOperationOfAppendMayFail(t *testing.T) {
	for i := 0; ; i++ {
		root := t.TempDir()
		fsys, hit := vfstest.FailAt(vfs.OS(), i, syscall.EIO)
		err := appendTwo(t.Context(), local.DirOn(fsys, root))
		op, failed := hit()
		if !failed {
			break
		}
		var pe *fs.PathError
		if !errors.Is(err, syscall.EIO) || !errors.As(err, &pe) || pe.Path != filepath.Join(root, "logs/events") {
			t.Errorf("%v fails: error is %v, want one that names the file and wraps %v", op, err, syscall.EIO)
		}
		got, read := os.ReadFile(filepath.Join(root, "logs/events"))
		begun := op.Path == filepath.Join(root, "logs/events") && op.Verb != "create"
		if errors.Is(read, fs.ErrNotExist) == begun || !strings.HasPrefix("onetwo", string(got)) {
			t.Errorf("%v fails: the file has %q, %v", op, got, read)
		}
	}
}

// What a failed flush has lost a second one would not bring back.
func TestAGrowingFileThatFailedStaysFailed(t *testing.T) {
	fsys, asked := failing("sync")
	g, err := storage.Append(t.Context(), local.DirOn(fsys, t.TempDir()), "a")
	if err != nil {
		t.Fatal(err)
	}
	first := g.Sync()
	if _, err := g.Write([]byte("more")); !errors.Is(err, syscall.EIO) {
		t.Errorf("Write after a failed Sync = %v, want %v", err, syscall.EIO)
	}
	if err := g.Close(); !errors.Is(first, syscall.EIO) || !errors.Is(err, syscall.EIO) || *asked != 1 {
		t.Errorf("Sync = %v, Close = %v, %d flushes asked for, want one", first, err, *asked)
	}
}
