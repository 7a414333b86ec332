//go:build unix

package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestAProcessThatWasStoppedHasLostItsLease with real processes:
// the test runs itself as the writer that is stopped.
//
// Proves D26, D27.
func TestAProcessThatWasStoppedHasLostItsLease(t *testing.T) {
	const env = "CKPT_TEST_STOPPED"
	leased := func(root string) storage.Dir {
		return storage.WithLease(local.Dir(root), &storage.LeaseOptions{TTL: 5 * time.Second})
	}
	c, _ := one(1)
	if root := os.Getenv(env); root != "" {
		m, err := NewManager(background(), c, leased(root), nil)
		must(t, err)
		fmt.Println("saved", mustSave(t, m, nil))
		_, err = io.Copy(io.Discard, os.Stdin)
		must(t, err)
		_, err = m.Save(background(), nil)
		fmt.Println(errors.Is(err, storage.ErrFenced), err)
		return
	}
	root := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestAProcessThatWasStoppedHasLostItsLease$")
	child.Env = append(os.Environ(), env+"="+root)
	in, err := child.StdinPipe()
	must(t, err)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "saved ckpt-1\n" {
		t.Fatalf("the writer says %q (%v), want saved", line, err)
	}
	m := newManager(t, c, leased(root), nil)
	if _, err := m.Save(background(), nil); !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d (", child.Process.Pid)) {
		t.Errorf("Save while the other is at work = %v, want %v and who", err, storage.ErrLocked)
	}
	must(t, child.Process.Signal(syscall.SIGSTOP))
	p := mustSave(t, m, nil)
	must(t, in.Close())
	must(t, child.Process.Signal(syscall.SIGCONT))
	line, err := lines.ReadString('\n')
	if !strings.HasPrefix(line, "true ") || !strings.Contains(line, fmt.Sprintf("process %d (", os.Getpid())) {
		t.Errorf("the save of the stopped writer ends with %q (%v), want %v and who", line, err, storage.ErrFenced)
	}
	must(t, child.Wait())
	wantPaths(t, "on disk", onDisk(t, local.Dir(root)), "ckpt-1", p)
}
