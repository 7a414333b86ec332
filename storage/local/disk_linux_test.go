package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// tooMuch tries to replace a file by one that does not fit, with WriteFile and
// CommitAll, and returns what is wrong with how that fails.
func tooMuch(dir string, want error) error {
	ctx, d := context.Background(), local.Dir(dir)
	if err := storage.WriteFile(ctx, d, "state", []byte("old")); err != nil {
		return err
	}
	large := make([]byte, 4<<20)
	failures := []error{storage.WriteFile(ctx, d, "state", large), commitTooMuch(ctx, d, large)}
	for _, err := range failures {
		var pe *fs.PathError
		if !errors.Is(err, want) || !errors.As(err, &pe) || !strings.HasPrefix(pe.Path, dir+"/state") {
			return fmt.Errorf("error is %v, want %v about state", err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		return fmt.Errorf("directory holds %v (%v), want only the old file", entries, err)
	}
	if got, err := storage.ReadFile(ctx, d, "state"); err != nil || string(got) != "old" {
		return fmt.Errorf("old file reads %q, %v", got, err)
	}
	return storage.WriteFile(ctx, d, "state", []byte("fits"))
}

func commitTooMuch(ctx context.Context, d storage.Dir, large []byte) error {
	var wave []storage.Pending
	for _, name := range []string{"state", "state-2"} {
		p, err := d.Create(ctx, name)
		if err != nil {
			return err
		}
		defer p.Discard() // has nothing to do, or its error is not the first
		for piece := range slices.Chunk(large, 64<<10) {
			if _, err = p.Write(piece); err != nil {
				break
			}
		}
		if err != nil {
			return errors.Join(err, p.Discard())
		}
		wave = append(wave, p)
	}
	return storage.CommitAll(ctx, d, wave)
}

func fileSizeLimit(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return tooMuch(dir, syscall.EFBIG)
}

var errNoMount = errors.New("cannot mount here")

func smallDisk(dir string) error {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("%w: %v", errNoMount, err)
	}
	return tooMuch(dir, syscall.ENOSPC)
}

func TestFileSizeLimit(t *testing.T) {
	cmd := child(t, "file size limit", t.TempDir())
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %s", err, cmd.Stdout)
	}
}

// TestFullDisk mounts a small disk in a name space of its own. Where that is
// not allowed it has shown nothing: TestEveryOperationMayFail has the same error.
func TestFullDisk(t *testing.T) {
	cmd := child(t, "small disk", t.TempDir())
	ids := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: ids(os.Getuid()), GidMappings: ids(os.Getgid()),
	}
	err := cmd.Run()
	var exit *exec.ExitError
	says := fmt.Sprint(cmd.Stdout)
	if err != nil && !errors.As(err, &exit) || strings.HasPrefix(says, errNoMount.Error()) {
		t.Logf("no small disk to be had: %v %s", err, says)
	} else if err != nil {
		t.Errorf("%v: %s", err, says)
	}
}

// unprivileged runs do on a thread that may not write to others' directories,
// also when the tests run as root.
func unprivileged(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := syscall.Setfsuid(65534)
		if os.Getuid() != 0 {
			err = nil // it is no root anyway
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	d := local.Dir(dir)
	if err := storage.WriteFile(t.Context(), d, "a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o555), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() {
		if got, err := storage.ReadFile(t.Context(), d, "a"); err != nil || string(got) != "old" {
			t.Errorf("ReadFile = %q, %v", got, err)
		}
		for what, err := range map[string]error{
			"create " + dir + "/a": storage.WriteFile(t.Context(), d, "a", nil),
			"remove " + dir + "/a": d.Remove(t.Context(), "a"),
		} {
			want := what + ": directory " + dir + " may not be written to: permission denied"
			if !errors.Is(err, fs.ErrPermission) || err.Error() != want {
				t.Errorf("error is\n%v, want\n%s", err, want)
			}
		}
		if err := storage.Link(t.Context(), d, "a", "b"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Link = %v, want %v", err, fs.ErrPermission)
		}
		want := "create " + dir + "/sub/a: directory " + dir + "/sub cannot be made: permission denied"
		if err := storage.WriteFile(t.Context(), d, "sub/a", nil); err == nil || err.Error() != want {
			t.Errorf("error is\n%v, want\n%s", err, want)
		}
	})
}
