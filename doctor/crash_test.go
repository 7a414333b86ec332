package doctor_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage/local"
)

const strictRoot = "/runs/model"

// strict returns the files of a directory on a file system that loses at a
// power cut whatever was not flushed. All of them are two hours old.
func strict(t *testing.T, files map[string]string) *vfstest.Strict {
	t.Helper()
	disk := vfstest.NewStrict(nil)
	dirs := []string{"/", "/runs", strictRoot}
	mkdir := func(path string) error {
		if slices.Contains(dirs, path) {
			return nil
		}
		dirs = append(dirs, path)
		return disk.Mkdir(path, 0o777)
	}
	err := errors.Join(disk.Mkdir("/runs", 0o777), disk.Mkdir(strictRoot, 0o777))
	for name, text := range files {
		path := filepath.Join(strictRoot, name)
		if text == "a directory" {
			err = errors.Join(err, mkdir(path))
			continue
		}
		err = errors.Join(err, mkdir(filepath.Dir(path)))
		f, failed := disk.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if failed != nil {
			t.Fatal(failed)
		}
		_, failed = f.WriteAt([]byte(text), 0)
		err = errors.Join(err, failed, f.Sync(), f.Close())
	}
	for _, dir := range dirs {
		err = errors.Join(err, disk.SyncDir(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	disk.Advance(2 * time.Hour)
	return disk
}

// illnesses are directories with much that is wrong at once.
var illnesses = map[string]func(f folder){
	"files": func(f folder) {
		f.flip("checkpoint", 3)
		f.flip("ckpt-3.receipt.json", 0)
		f.remove("other-2.receipt.json")
		f.flip("ckpt-4.index", 0)
		f.flip("ckpt-5.data-00000-of-00001", 0)
		linkAside(f)
		f.write("ckpt-2.receipt.json", f.read("ckpt-1.receipt.json"))
		f.remove("ckpt-1.index")
		f.write(".ckpt.tmp-1-x", "half")
	},
	"state": func(f folder) {
		f.write("checkpoint", strings.ReplaceAll(f.read("checkpoint"), `"other-2"`, `"ckpt-3"`))
		f.remove("ckpt-3.index", "ckpt-4.index", "ckpt-5.index", "ckpt-5.data-00000-of-00001", "ckpt-5.receipt.json")
		linkAside(f)
		f.must(checkpoint.WriteReceipt(f.t.Context(), f.Dir, "ckpt-0", checkpoint.Receipt{Path: "ckpt-0"}))
		f.write(".ckpt.leases/ckpt-2@X.json", `{"schema":1,"path":"ckpt-2","holder":"me","expires":"2020-01-01T00:00:00Z"}`)
	},
}

// ill returns such a directory on a file system that can be cut.
func ill(t *testing.T, damage func(folder)) *vfstest.Strict {
	t.Helper()
	f := newFolder(t, 3)
	trainParity(t, f.Dir, 3)
	train(t, f.Dir, 2, &checkpoint.ManagerOptions{CheckpointName: "other"})
	damage(f)
	return strict(t, f.all())
}

// TestMendingSurvivesAPowerCutAfterEachOperation: whatever a cut leaves,
// everything can be restored that could be before, and the next Fix ends it.
//
// Proves D6, D22.
func TestMendingSurvivesAPowerCutAfterEachOperation(t *testing.T) {
	states := 0
	for name, damage := range illnesses {
		t.Run(name, func(t *testing.T) {
			disk := ill(t, damage)
			f := folder{t: t, Dir: local.DirOn(disk, strictRoot)}
			whole := f.restorable()
			var points []*vfstest.Strict
			var ops []string
			disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
				points, ops = append(points, s), append(ops, op.String())
			})
			after := f.fix(f.examine(nil), nil)
			disk.Watch(nil)
			if len(after.Mended) < 5 || len(after.Fixable()) > 0 {
				t.Errorf("mended %q, left %q", kinds(after.Mended), kinds(after.Findings))
			}
			for i := 0; i < len(points); i += torture.Thin(7) {
				s := points[i]
				for _, cut := range cuts(s, i) {
					states++
					g := folder{t: t, Dir: local.DirOn(s.Crash(cut), strictRoot)}
					g.recovers(fmt.Sprintf("after %d, %s, cut %s", i, ops[i], cut.Name), whole)
				}
			}
		})
	}
	torture.Count(t, "crash states", states)
}

// cuts returns the power cuts to try at a point: in the short form what is
// pending is lost, kept, and in one other way.
func cuts(s *vfstest.Strict, i int) []vfstest.Cut {
	all := slices.Collect(s.Cuts(32, uint64(i)))
	return slices.Concat(all[:min(2, len(all))], all[min(2, len(all)):][:torture.Times(min(1, max(0, len(all)-2)), max(0, len(all)-2))])
}

// TestAnOperationThatFailsEndsMending: an error of the place is not taken for
// damage, harms nothing, and is no more when its cause is gone.
//
// Proves D13, D22.
func TestAnOperationThatFailsEndsMending(t *testing.T) {
	faults := 0
	for name, damage := range illnesses {
		t.Run(name, func(t *testing.T) {
			disk := ill(t, damage)
			whole := folder{t: t, Dir: local.DirOn(disk, strictRoot)}.restorable()
			for i := 0; ; i += torture.Times(23, 1) * torture.Thin(3) {
				again := disk.Clone()
				failing, hit := vfstest.FailAt(again, i, syscall.EIO)
				r, err := doctor.Examine(t.Context(), local.DirOn(failing, strictRoot), doctor.Impatient(nil))
				if err == nil {
					_, err = r.Fix(t.Context(), nil)
				}
				op, was := hit()
				if !was {
					return
				}
				faults++
				if err == nil && !harmless(op) || err != nil && !errors.Is(err, syscall.EIO) {
					t.Errorf("%d, %s fails: %v, want %v", i, op, err, syscall.EIO)
				}
				g := folder{t: t, Dir: local.DirOn(again.Clone(), strictRoot)}
				g.recovers(fmt.Sprintf("after %d, %s has failed,", i, op), whole)
			}
		})
	}
	torture.Count(t, "faults injected", faults)
}

// harmless tells the operations whose failure changes nothing: what is asked to
// find better words, what is read, which the next look may read, closing that,
// and the look for temporary files when a lock is taken, and their removal.
func harmless(op vfstest.Op) bool {
	switch op.Verb {
	case "stat", "lstat", "fstat", "readdir":
		return true
	case "close", "open", "read":
		return !strings.Contains(op.Path, ".ckpt.tmp-")
	case "unlink":
		return filepath.Base(op.Path) == ".ckpt.tmp-1-x"
	}
	return false
}

// recovers checks what a power cut has left, and mends it.
func (f folder) recovers(when string, whole map[string]float32) {
	f.t.Helper()
	if got := f.restorable(); !includes(got, whole) {
		f.t.Fatalf("%s these can be restored: %v, want %v", when, got, whole)
	}
	r, err := doctor.Examine(f.t.Context(), f.Dir, doctor.Impatient(nil))
	if err == nil {
		r, err = r.Fix(f.t.Context(), nil)
	}
	if err != nil {
		f.t.Fatalf("%s: %v", when, err)
	}
	if got := f.restorable(); !includes(got, whole) || len(r.Fixable()) > 0 {
		f.t.Fatalf("%s and another Fix these can be restored: %v, want %v; fixable are %q", when, got, whole, kinds(r.Fixable()))
	}
}

// TestWhatIsHalfRemovedStaysOurs: a power cut leaves no data without the
// receipt that says whose it is.
//
// Proves D22.
func TestWhatIsHalfRemovedStaysOurs(t *testing.T) {
	f := newFolder(t, 3)
	f.remove("ckpt-1.index")
	disk := strict(t, f.all())
	at := func(name string) string { return filepath.Join(strictRoot, name) }
	disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
		for cut := range s.Cuts(8, 1) {
			left := s.Crash(cut)
			_, noReceipt := left.Stat(at("ckpt-1.receipt.json"))
			if _, noData := left.Stat(at("ckpt-1.data-00000-of-00001")); noData == nil && noReceipt != nil {
				t.Errorf("after %v, cut %s, there is the data and no receipt", op, cut.Name)
			}
		}
	})
	g := folder{t: t, Dir: local.DirOn(disk, strictRoot)}
	if after := g.fix(g.examine(nil), nil); len(after.Mended) == 0 || after.Mended[0].Kind != doctor.HalfRemoved {
		t.Errorf("mended %q, want first what is half removed", kinds(after.Mended))
	}
}
