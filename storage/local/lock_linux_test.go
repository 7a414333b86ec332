package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// holdLock tells its parent that it has the lock, and keeps it until the
// parent closes its input or kills it.
func holdLock(dir string) error {
	lock, err := storage.Lock(context.Background(), local.Dir(dir), "checkpoint")
	if err != nil {
		return err
	}
	fmt.Println("locked")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return lock.Unlock()
}

func tryLock(dir string) error {
	lock, err := storage.Lock(context.Background(), local.Dir(dir), "checkpoint")
	if err != nil {
		return err
	}
	return lock.Unlock()
}

// startHolder returns a process that holds the lock, and its input.
func startHolder(t *testing.T, dir string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := child(t, "hold lock", dir)
	cmd.Stdout = nil
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("child says %q (%v), want locked", line, err)
	}
	return cmd, in
}

func wantHeldBy(t *testing.T, dir string, pid int) {
	t.Helper()
	_, err := storage.Lock(t.Context(), local.Dir(dir), "checkpoint")
	if !errors.Is(err, storage.ErrLocked) {
		t.Fatalf("Lock = %v, want %v", err, storage.ErrLocked)
	}
	host, hostErr := os.Hostname()
	if hostErr != nil {
		t.Fatal(hostErr)
	}
	want := fmt.Sprintf("lock %s: locked by another process (process %d on %s); end it, or use another directory",
		filepath.Join(dir, ".ckpt.lock-checkpoint"), pid, host)
	if err.Error() != want {
		t.Errorf("error is\n%v, want\n%s", err, want)
	}
}

func TestLockKeepsOtherProcessesOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made by the lock")
	holder, in := startHolder(t, dir)
	wantHeldBy(t, dir, holder.Process.Pid)
	if err := storage.WriteFile(t.Context(), local.Dir(dir), "a", nil); err != nil {
		t.Errorf("the lock binds one who did not ask for it: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := tryLock(dir); err != nil {
		t.Errorf("Lock after the holder's unlock = %v", err)
	}
}

func TestLockDiesWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	holder, _ := startHolder(t, dir)
	wantHeldBy(t, dir, holder.Process.Pid)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err == nil {
		t.Fatal("the killed child ended well")
	}
	if err := tryLock(dir); err != nil {
		t.Errorf("Lock after the holder's death = %v", err)
	}
}

// TestLockEndsWithTheLastUnlock takes the lock by three ways to one directory.
func TestLockEndsWithTheLastUnlock(t *testing.T) {
	dir := t.TempDir()
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(dir, alias); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	var locks []storage.Held
	for _, path := range []string{dir, alias, filepath.Base(dir)} {
		lock, err := storage.Lock(t.Context(), local.Dir(path), "checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, lock)
	}
	for _, lock := range locks {
		wantChildLocked(t, dir, true)
		for range 2 { // the second does nothing
			if err := lock.Unlock(); err != nil {
				t.Error(err)
			}
		}
	}
	wantChildLocked(t, dir, false)
}

func wantChildLocked(t *testing.T, dir string, locked bool) {
	t.Helper()
	cmd := child(t, "try lock", dir)
	err := cmd.Run()
	says := fmt.Sprint(cmd.Stdout)
	if (err != nil) != locked || strings.Contains(says, fmt.Sprintf("process %d on", os.Getpid())) != locked {
		t.Errorf("another process asking for the lock: %v, says %q; want locked = %t", err, says, locked)
	}
}

// TestForeignLockFile: what another program has put there is not repeated.
func TestForeignLockFile(t *testing.T) {
	dir := t.TempDir()
	holder, in := startHolder(t, dir)
	for _, content := range []string{"", "process 1\x1b[2J on host\n", "process 1 on no line end", "something else\n"} {
		if err := os.WriteFile(filepath.Join(dir, ".ckpt.lock-checkpoint"), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		err := tryLock(dir)
		if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "(which has not written its name yet)") {
			t.Errorf("with %q in the lock file the error is %v", content, err)
		}
	}
	if err := errors.Join(in.Close(), holder.Wait()); err != nil {
		t.Error(err)
	}
}
