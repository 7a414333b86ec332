package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestPinsOfAnotherProcess: a process pins what it can while another one saves
// and sweeps. What it was told to be pinned is there in the end. The test runs
// itself as that process.
func TestPinsOfAnotherProcess(t *testing.T) {
	if root := os.Getenv("CKPT_TEST_PIN"); root != "" {
		if err := pinUntilClosed(root, os.Stdin, os.Stdout); err != nil {
			t.Fatal(err)
		}
		return
	}
	root := t.TempDir()
	dir := local.Dir(root)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1})
	mustSave(t, m, nil)
	child := exec.Command(os.Args[0], "-test.run=^TestPinsOfAnotherProcess$")
	child.Env = append(os.Environ(), "CKPT_TEST_PIN="+root)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	in, err := child.StdinPipe()
	must(t, err)
	must(t, child.Start())
	for range 60 {
		mustSave(t, m, nil)
		if len(onDisk(t, dir)) > 4 {
			break
		}
	}
	must(t, in.Close())
	if err := child.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	disk, pins := onDisk(t, dir), 0
	for line := range strings.Lines(out.String()) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "pinned "); ok {
			pins++
			if !contains(disk, p) {
				t.Errorf("%s was pinned and is gone", p)
			}
		}
	}
	if pins == 0 {
		t.Errorf("the other process pinned nothing:\n%s", out.String())
	}
}

// pinUntilClosed pins the latest checkpoint again and again, each once, and
// says so.
func pinUntilClosed(root string, in io.Reader, out io.Writer) error {
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(closed)
	}()
	dir, last := local.Dir(root), ""
	for {
		select {
		case <-closed:
			return nil
		default:
		}
		p, err := Latest(background(), dir)
		if err == nil && p != last {
			err = Pin(background(), dir, p, "in use")
			if last = p; err == nil {
				fmt.Fprintln(out, "pinned", p)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}
