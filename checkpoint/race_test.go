package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// wide returns objects whose tensors, in several files' worth of reads, all
// have the same value: a mixture shows.
func wide() (*Checkpoint, func(float32)) {
	objects, list := Objects{}, []*variableF{}
	for i := range 4 {
		v := variable(make([]float32, 64)...)
		list, objects[fmt.Sprint("v", i)] = append(list, v), v
	}
	return New(nil, objects, nil), func(x float32) {
		for _, v := range list {
			for i := range v.Value {
				v.Value[i] = x
			}
		}
	}
}

// readWhole reads the latest checkpoint tensor by tensor, as an evaluator does,
// under a lease if leased. It returns what its values are.
func readWhole(dir storage.Dir, leased bool) (_ float32, err error) {
	p, err := Latest(background(), dir)
	if err != nil {
		return 0, err
	}
	if leased {
		l, err := TakeLease(background(), dir, p, nil)
		if err != nil {
			return 0, fmt.Errorf("no lease: %w", err)
		}
		defer func() { err = errors.Join(err, l.Err(), l.Release(background())) }()
		if err := wantStill(dir, p); err != nil {
			return 0, fmt.Errorf("leased and gone: %v", err)
		}
	}
	r, err := Load(background(), dir, p)
	if err == nil {
		defer func() { err = errors.Join(err, r.Close()) }()
		return sameValue(r)
	}
	if leased {
		err = fmt.Errorf("leased and gone: %v", err) // which is no fs.ErrNotExist any more
	}
	return 0, err
}

func wantStill(dir storage.Dir, p string) error {
	_, err := locatePath(background(), dir, p)
	return err
}

// sameValue reads all tensors and returns the value that all of them have.
func sameValue(r *Reader) (float32, error) {
	var first []byte
	for i := range 4 {
		x, err := r.Tensor(fmt.Sprintf("v%d/.ATTRIBUTES/VARIABLE_VALUE", i))
		if err != nil {
			return 0, err
		}
		for v := range slices.Chunk(x.Bytes(), 4) {
			if first == nil {
				first = v
			}
			if !bytes.Equal(v, first) {
				return 0, fmt.Errorf("a mixture of %x and %x in %s", first, v, r.Path())
			}
		}
	}
	return math.Float32frombits(binary.NativeEndian.Uint32(first)), nil
}

// readUntil reads until each reader, with a lease or without, has found n whole
// checkpoints. It returns how many all have.
func readUntil(t *testing.T, dir storage.Dir, n int, going *atomic.Bool) int {
	t.Helper()
	var wg sync.WaitGroup
	var reads atomic.Int64
	for i := range 4 {
		leased := i%2 == 0
		wg.Go(func() {
			for whole := 0; whole < n; {
				_, err := readWhole(dir, leased)
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Errorf("leased %v: %v", leased, err)
					return
				}
				whole++
				reads.Add(1)
			}
		})
	}
	wg.Wait()
	going.Store(false)
	return int(reads.Load())
}

// TestReadersAndASweeperRace in one process: a manager that keeps one saves as
// fast as it can.
//
// Proves D9, D28.
func TestReadersAndASweeperRace(t *testing.T) {
	dir := local.Dir(t.TempDir())
	c, set := wide()
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1})
	mustSave(t, m, nil)
	raceReaders(t, dir, torture.Times(40, 700), func(k int) error {
		set(float32(k))
		_, err := m.Save(background(), nil)
		return err
	})
}

// TestReadersAndAnOverwriteRace over one number.
//
// Proves D4, D28.
func TestReadersAndAnOverwriteRace(t *testing.T) {
	dir := local.Dir(t.TempDir())
	c, set := wide()
	m := newManager(t, c, dir, nil)
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(7)})
	raceReaders(t, dir, torture.Times(40, 700), func(k int) error {
		set(float32(k))
		_, err := m.Save(background(), &SaveOptions{CheckpointNumber: number64(7)})
		return err
	})
}

// TestReadersAndTwoManagersRace of different names in one directory.
//
// Proves D11, D28.
func TestReadersAndTwoManagersRace(t *testing.T) {
	dir := local.Dir(t.TempDir())
	var managers [2]*Manager
	var sets [2]func(float32)
	for i := range managers {
		var c *Checkpoint
		c, sets[i] = wide()
		managers[i] = newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, CheckpointName: fmt.Sprint("m", i)})
	}
	raceReaders(t, dir, torture.Times(20, 400), func(k int) error {
		var errs [2]error
		var wg sync.WaitGroup
		for i, m := range managers {
			sets[i](float32(k))
			wg.Go(func() { _, errs[i] = m.Save(background(), nil) })
		}
		wg.Wait()
		return errors.Join(errs[:]...)
	})
	for i, m := range managers {
		mustSave(t, m, nil) // a reader had a lease, perhaps, when the last one swept
		if p := m.LatestCheckpoint(); len(m.Checkpoints()) != 1 || !contains(onDisk(t, dir), p) || !strings.HasPrefix(p, fmt.Sprint("m", i)) {
			t.Errorf("manager %d has %v, its latest is %s, on disk are %v", i, m.Checkpoints(), p, onDisk(t, dir))
		}
	}
}

// raceReaders saves while others read.
func raceReaders(t *testing.T, dir storage.Dir, n int, save func(k int) error) {
	t.Helper()
	var going atomic.Bool
	going.Store(true)
	done := make(chan error)
	go func() {
		var err error
		for k := 1; err == nil && going.Load(); k++ {
			err = save(k)
		}
		done <- err
	}()
	reads := readUntil(t, dir, n, &going)
	if err := <-done; err != nil {
		t.Error(err)
	}
	torture.Count(t, "races", reads)
}

// sweepingChild is the environment of a process that runs what another races.
const sweepingChild = "CKPT_TEST_SWEEP"

// TestReadersAndASweeperOfAnotherProcessRace with what saves and prunes in a
// process of its own: the test itself, run again.
//
// Proves D9, D28.
func TestReadersAndASweeperOfAnotherProcessRace(t *testing.T) {
	if root := os.Getenv(sweepingChild); root != "" {
		must(t, saveAndPrune(local.Dir(root)))
		return
	}
	root := t.TempDir()
	dir := local.Dir(root)
	c, _ := wide()
	must(t, c.Write(background(), dir, "ckpt-0"))
	child := exec.Command(os.Args[0], "-test.run=^TestReadersAndASweeperOfAnotherProcessRace$")
	child.Env = append(os.Environ(), sweepingChild+"="+root)
	var out strings.Builder
	child.Stdout, child.Stderr = &out, &out
	in, err := child.StdinPipe()
	must(t, err)
	must(t, child.Start())
	var going atomic.Bool
	reads := readUntil(t, dir, torture.Times(40, 700), &going)
	must(t, in.Close())
	if err := child.Wait(); err != nil {
		t.Errorf("the other process: %v\n%s", err, out.String())
	}
	torture.Count(t, "races", reads)
}

// saveAndPrune saves, and prunes as `ckpt prune` does, until the input ends.
func saveAndPrune(dir storage.Dir) error {
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	c, set := wide()
	for k := 1; ; k++ {
		select {
		case <-closed:
			return nil
		default:
		}
		set(float32(k))
		if _, err := c.Save(background(), dir, "ckpt"); err != nil {
			return err
		}
		plan, err := PlanPrune(background(), dir, retention.Latest(1), nil)
		if err == nil {
			err = plan.Do(background())
		}
		if err != nil && !errors.Is(err, ErrPlanChanged) {
			return err
		}
	}
}

// TestPinsAndASweeperRace pins and unpins in other processes than the one that
// sweeps: what was pinned when Pin returned is there until it is unpinned.
//
// Proves D9.
func TestPinsAndASweeperRace(t *testing.T) {
	if root := os.Getenv(sweepingChild); root != "" {
		must(t, saveAndPrune(local.Dir(root)))
		return
	}
	root := t.TempDir()
	dir := local.Dir(root)
	child := exec.Command(os.Args[0], "-test.run=^TestPinsAndASweeperRace$")
	child.Env = append(os.Environ(), sweepingChild+"="+root)
	var out strings.Builder
	child.Stdout, child.Stderr = &out, &out
	in, err := child.StdinPipe()
	must(t, err)
	must(t, child.Start())
	pins := 0
	for n := torture.Times(60, 1500); pins < n && !t.Failed(); {
		p, err := Latest(background(), dir)
		if err == nil {
			err = Pin(background(), dir, p, "in use")
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			t.Fatal(err)
		}
		pins++
		if r, err := ReadReceipt(background(), dir, p); err != nil || r.Pinned == "" {
			t.Errorf("%s was pinned, its receipt says %q, %v", p, r.Pinned, err)
		}
		reader, err := Load(background(), dir, p)
		if err == nil {
			_, err = sameValue(reader)
			err = errors.Join(err, reader.Close())
		}
		if err != nil {
			t.Errorf("%s was pinned: %v", p, err)
		}
		must(t, Unpin(background(), dir, p))
	}
	must(t, in.Close())
	if err := child.Wait(); err != nil {
		t.Errorf("the other process: %v\n%s", err, out.String())
	}
	torture.Count(t, "races", pins)
}
