package checkpoint

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/hostile"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// everyUse is what can be done with a directory that somebody else has made.
// Each may fail; what it must not do is the caller's to check.
var everyUse = []struct {
	name string
	do   func(ctx context.Context, dir storage.Dir, path string) error
}{
	{"ReadState", func(ctx context.Context, dir storage.Dir, _ string) error { _, err := ReadState(ctx, dir); return err }},
	{"VerifyState", func(ctx context.Context, dir storage.Dir, _ string) error { return VerifyState(ctx, dir) }},
	{"Latest", func(ctx context.Context, dir storage.Dir, _ string) error { _, err := Latest(ctx, dir); return err }},
	{"List", func(ctx context.Context, dir storage.Dir, _ string) error {
		_, err := List(ctx, dir, &ListOptions{Receipts: true})
		return err
	}},
	{"ReadReceipt", func(ctx context.Context, dir storage.Dir, path string) error {
		_, err := ReadReceipt(ctx, dir, path)
		return err
	}},
	{"LatestValid", func(ctx context.Context, dir storage.Dir, _ string) error {
		_, _, err := LatestValid(ctx, dir, &LatestValidOptions{Deep: true})
		return err
	}},
	{"Load", loadAll},
	{"Load the latest", func(ctx context.Context, dir storage.Dir, _ string) error { return loadAll(ctx, dir, "") }},
	{"Restore", func(ctx context.Context, dir storage.Dir, path string) error {
		c, _ := one(0)
		_, err := c.Restore(ctx, dir, path)
		return err
	}},
	{"TakeLease", func(ctx context.Context, dir storage.Dir, path string) error {
		l, err := TakeLease(ctx, dir, path, nil)
		if err != nil {
			return err
		}
		return l.Release(ctx)
	}},
	{"Pin", func(ctx context.Context, dir storage.Dir, path string) error { return Pin(ctx, dir, path, "why") }},
	{"Unpin", Unpin},
	{"Tag", func(ctx context.Context, dir storage.Dir, path string) error { return Tag(ctx, dir, path, "t") }},
	{"a manager", manage},
	{"a plain save", func(ctx context.Context, dir storage.Dir, _ string) error {
		c, _ := one(1)
		_, err := c.Save(ctx, dir, "other")
		return err
	}},
	{"SaveAs", func(ctx context.Context, dir storage.Dir, path string) error {
		c, _ := one(1)
		return c.SaveAs(ctx, dir, path, nil)
	}},
	{"Plan.Do", func(ctx context.Context, dir storage.Dir, _ string) error {
		p, err := PlanPrune(ctx, dir, retention.Latest(1), &PlanOptions{Foreign: true})
		if err != nil {
			return err
		}
		return p.Do(ctx)
	}},
	{"Remove", func(ctx context.Context, dir storage.Dir, path string) error { return Remove(ctx, dir, path) }},
}

// loadAll reads all there is of a checkpoint.
func loadAll(ctx context.Context, dir storage.Dir, path string) error {
	r, err := Load(ctx, dir, path)
	if err != nil {
		return err
	}
	err = errors.Join(r.VerifyQuick(ctx), r.Verify(ctx, nil), r.Layout(io.Discard))
	for _, name := range r.Names() {
		if _, failed := r.Tensor(name); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return closing(r, err)
}

// manage is what a training does: restore, save, and remove what is old.
func manage(ctx context.Context, dir storage.Dir, _ string) error {
	c, _ := one(1)
	m, err := NewManager(ctx, c, dir, &ManagerOptions{MaxToKeep: 1})
	if err != nil {
		return err
	}
	_, err = m.RestoreOrInitialize(ctx)
	for range 2 {
		_, failed := m.Save(ctx, nil)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, m.Close(ctx))
}

// useAll makes every use, in the short form every sixth from turn on, of a
// directory prepared by prepare, each of a fresh one, and checks that nothing
// outside was touched.
func useAll(t *testing.T, turn int, what string, prepare func(g *hostile.Ground)) (n int) {
	t.Helper()
	g := hostile.NewGround(t)
	step := torture.Times(6, 1) * torture.Thin(7)
	for k := turn % step; k < len(everyUse); k += step {
		use := everyUse[k]
		g.Fresh()
		for range 2 {
			c, _ := one(1)
			if _, err := c.Save(t.Context(), local.DirOn(unflushed{vfs.OS()}, g.Dir), "ckpt"); err != nil {
				t.Fatal(err)
			}
		}
		prepare(g)
		disk, record := vfstest.Record(unflushed{vfs.OS()})
		what := what + ": " + use.name
		// An error is as good as none. What hangs, the deadline of the tests ends.
		if err := use.do(t.Context(), local.DirOn(disk, g.Dir), "ckpt-1"); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
		g.Check(what)
		for _, op := range record.Take() {
			if op.Verb == "syncdir" && op.Path == filepath.Dir(g.Dir) {
				continue // for the directory's own name; it changes nothing
			}
			g.Within(what+": "+op.Verb, op.Path)
			if op.To != "" {
				g.Within(what+": "+op.Verb, op.To)
			}
		}
		n++
	}
	return n
}

// trapped are the names that a trap is set under: all that are read or
// written in a directory.
var trapped = []string{
	"checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json", "ckpt-1.recovery.index",
	"ckpt-1.recovery.data-00000-of-00001", "ckpt-1.recovery.receipt.json", "ckpt-1", "ckpt-3.index",
	"ckpt-3.data-00000-of-00001", "ckpt-3.receipt.json", "variables", ".ckpt.lock-checkpoint", ".ckpt.leases",
	".ckpt.leases/.ckpt.lock-removal", ".ckpt.leases/ckpt-1@A.json", ".ckpt.tmp-old", "sub",
}

// TestNoTrapInADirectoryLeadsOutOfIt sets links, pipes, sockets, devices and
// directories where files are expected. Nothing outside is written or removed,
// nothing blocks, and no path that is opened leads outside.
//
// Proves D24, D25.
func TestNoTrapInADirectoryLeadsOutOfIt(t *testing.T) {
	traps := hostile.NewGround(t).Traps()
	n := 0
	for i, name := range trapped {
		for j := range traps {
			n += useAll(t, i+j, name+" is a "+traps[j].Name, func(g *hostile.Ground) {
				path := filepath.Join(g.Dir, name)
				old := time.Now().Add(-2 * time.Hour)
				err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.RemoveAll(path), g.Traps()[j].Set(path))
				if err != nil {
					t.Fatal(err)
				}
				if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() { // old enough to be swept
					err = os.Chtimes(path, old, old)
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
	torture.Count(t, "hostile inputs", n)
}

// escapes are entries of a state file that lead out of its directory.
var escapes = []string{
	"../../etc/x", "../x", "../outside/ckpt-1", "/etc/passwd", "/x", "sub/../../x", "..", ".", "./..", "sub/../..",
	`..\x`, `C:\x`, `\\host\x`, "file:///etc/x", "gs://bucket/x", "~/x", "", "checkpoint", "ckpt-1/../../x", "//x",
	"ckpt-1\x00/../../x", "out/ckpt-1", "out/x", "./ckpt-1", "ckpt-1.index", "sub/ckpt-1", "ckpt-1/", "x/",
}

// TestNoEntryOfAStateFileLeadsOutOfItsDirectory names other files than those
// of the directory in each field of a state file, absolute ones among them
// ("out" is a link to a directory outside).
//
// Proves D11, D25.
func TestNoEntryOfAStateFileLeadsOutOfItsDirectory(t *testing.T) {
	n := 0
	for i, escape := range escapes {
		for _, absolute := range []bool{false, true} {
			n += useAll(t, i, "state file names "+escape, func(g *hostile.Ground) {
				entry := escape
				if absolute {
					entry = filepath.Join(g.Outside, "..") + "/" + escape
				}
				stateNaming(t, g, entry)
			})
		}
	}
	torture.Count(t, "hostile inputs", n)
}

func stateNaming(t *testing.T, g *hostile.Ground, entry string) {
	t.Helper()
	s := State{ModelCheckpointPath: entry, AllModelCheckpointPaths: []string{entry, "ckpt-1", entry}}
	for range s.AllModelCheckpointPaths {
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, time.Now())
	}
	text, err := s.text()
	if err != nil { // an entry that no writer of ours makes
		text = []byte("model_checkpoint_path: \"" + entry + "\"\nall_model_checkpoint_paths: \"" + entry + "\"\n")
	}
	err = errors.Join(os.WriteFile(filepath.Join(g.Dir, "checkpoint"), text, 0o666),
		os.Symlink(g.Outside, filepath.Join(g.Dir, "out")))
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnAbsoluteEntryIsReadInTheDirectoryItself: TensorFlow opens what an
// absolute entry names wherever that is. Here it means the file of that name in
// the directory, or nothing.
func TestAnAbsoluteEntryIsReadInTheDirectoryItself(t *testing.T) {
	g := hostile.NewGround(t)
	c, _ := one(1)
	dir := local.Dir(g.Dir)
	if _, err := c.Save(t.Context(), dir, "ckpt"); err != nil {
		t.Fatal(err)
	}
	for entry, want := range map[string]string{
		filepath.Join(g.Outside, "ckpt-1"): "ckpt-1", "../outside/ckpt-1": "ckpt-1", "/nowhere/ckpt-9": "ckpt-1",
	} {
		stateNaming(t, g, entry)
		got, err := Latest(t.Context(), dir)
		if err != nil || got != want {
			t.Errorf("Latest() with a state file that names %s = %q, %v, want %q", entry, got, err, want)
		}
		if err := os.Remove(filepath.Join(g.Dir, "out")); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(t.Context(), dir, entry); err == nil || errors.Is(err, format.ErrCorrupt) {
			t.Errorf("Load(%s) = %v, want that there is no such name", entry, err)
		}
	}
}
