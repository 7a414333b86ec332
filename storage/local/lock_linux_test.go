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
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
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
func startHolder(t *testing.T, dir, how string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := child(t, how, dir)
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
	want := fmt.Sprintf("lock %s: locked by another process (process %d (local.test) on %s, since ",
		filepath.Join(dir, ".ckpt.lock-checkpoint"), pid, host)
	since, ok := strings.CutPrefix(err.Error(), want)
	since, ended := strings.CutSuffix(since, "); end it, or use another directory")
	at, parsed := time.Parse(time.RFC3339, since)
	if !ok || !ended || parsed != nil || time.Since(at).Abs() > time.Hour {
		t.Errorf("error is\n%v, want\n%s<when>); end it, or use another directory", err, want)
	}
}

// TestLockKeepsOtherProcessesOut proves the error too.
//
// Proves D26.
func TestLockKeepsOtherProcessesOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made by the lock")
	holder, in := startHolder(t, dir, "hold lock")
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

// TestLockDiesWithItsProcess kills the holder.
//
// Proves D26.
func TestLockDiesWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	holder, _ := startHolder(t, dir, "hold lock")
	wantHeldBy(t, dir, holder.Process.Pid)
	kill(t, holder)
	if err := tryLock(dir); err != nil {
		t.Errorf("Lock after the holder's death = %v", err)
	}
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the killed child ended well")
	}
}

// TestAStoppedHolderKeepsTheLock: it may go on at any moment.
//
// Proves D26.
func TestAStoppedHolderKeepsTheLock(t *testing.T) {
	dir := t.TempDir()
	holder, in := startHolder(t, dir, "hold lock")
	if err := holder.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantHeldBy(t, dir, holder.Process.Pid)
	if err := errors.Join(holder.Process.Signal(syscall.SIGCONT), in.Close(), holder.Wait()); err != nil {
		t.Fatal(err)
	}
	if err := tryLock(dir); err != nil {
		t.Errorf("Lock after the holder went on to its end = %v", err)
	}
}

// holdLockWithChild starts a process while it holds the lock.
func holdLockWithChild(dir string) error {
	lock, err := storage.Lock(context.Background(), local.Dir(dir), "checkpoint")
	if err != nil {
		return err
	}
	heir := exec.Command(os.Args[0], dir)
	heir.Env, heir.Stdin = append(os.Environ(), childEnv+"=wait for input"), os.Stdin
	if err := heir.Start(); err != nil {
		return err
	}
	fmt.Println("locked")
	return errors.Join(heir.Wait(), lock.Unlock())
}

func waitForInput(string) error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// TestTheLockIsNotInherited: what the holder has started does not hold it when
// the holder is dead.
//
// Proves D26.
func TestTheLockIsNotInherited(t *testing.T) {
	dir := t.TempDir()
	holder, in := startHolder(t, dir, "hold lock with child")
	wantHeldBy(t, dir, holder.Process.Pid)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Process.Wait(); err != nil { // cmd.Wait would close the child's input
		t.Fatal(err)
	}
	if err := tryLock(dir); err != nil {
		t.Errorf("Lock while a child of the dead holder lives = %v", err)
	}
	if err := in.Close(); err != nil { // ends that child
		t.Error(err)
	}
}

// TestOfTwoThatStartAtOnceOneWins races processes for the lock.
//
// Proves D26.
func TestOfTwoThatStartAtOnceOneWins(t *testing.T) {
	n := torture.Times(5, 50)
	for range n {
		dir := filepath.Join(t.TempDir(), "new")
		var racers [2]*exec.Cmd
		var ins [2]io.Closer
		for i := range racers {
			racers[i] = child(t, "hold lock", dir)
			in, err := racers[i].StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			ins[i] = in
			if err := racers[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		won := winnerOf(t, racers, ins)
		if won.says != "locked\n" || !strings.Contains(won.loserSays, fmt.Sprintf("process %d (", won.pid)) &&
			!strings.Contains(won.loserSays, "which has not written its name yet") {
			t.Errorf("one says %q, the other %q; want one to have the lock, and the other to name it", won.says, won.loserSays)
		}
	}
	torture.Count(t, "races", n)
}

type winner struct {
	pid             int
	says, loserSays string
}

// winnerOf waits for the one of the two that ends at once, since it lost, and
// then ends the other.
func winnerOf(t *testing.T, racers [2]*exec.Cmd, ins [2]io.Closer) winner {
	t.Helper()
	type ended struct {
		i   int
		err error
	}
	ends := make(chan ended)
	for i, r := range racers {
		go func() { ends <- ended{i, r.Wait()} }()
	}
	lost := <-ends
	if err := ins[1-lost.i].Close(); err != nil {
		t.Error(err)
	}
	if won := <-ends; lost.err == nil || won.err != nil {
		t.Errorf("they end with %v and %v, want one error", lost.err, won.err)
	}
	w, l := racers[1-lost.i], racers[lost.i]
	return winner{w.Process.Pid, fmt.Sprint(w.Stdout), fmt.Sprint(l.Stdout)}
}

// TestAFileSystemWithoutLocksIsUnsupported, such as NFS without a lock daemon.
func TestAFileSystemWithoutLocksIsUnsupported(t *testing.T) {
	for _, says := range []error{syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP} {
		fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
			if op.Verb == "trylock" {
				return says
			}
			return nil
		})
		_, err := storage.Lock(t.Context(), local.DirOn(fsys, t.TempDir()), "checkpoint")
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Lock where the system says %v = %v, want %v", says, err, errors.ErrUnsupported)
		}
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
	if (err != nil) != locked || strings.Contains(says, fmt.Sprintf("process %d (", os.Getpid())) != locked {
		t.Errorf("another process asking for the lock: %v, says %q; want locked = %t", err, says, locked)
	}
}

// TestForeignLockFile: what another program has put there is not repeated.
func TestForeignLockFile(t *testing.T) {
	dir := t.TempDir()
	holder, in := startHolder(t, dir, "hold lock")
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
