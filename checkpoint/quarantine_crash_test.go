package checkpoint

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// put3Aside returns a disk on which ckpt-3 was put aside, and where to.
func put3Aside(t *testing.T) (disk *vfstest.Strict, dir storage.Dir, where string) {
	t.Helper()
	broken := savedBy(t, ManagerOptions{MaxToKeep: 5}, 3)
	flipMiddle(t, broken, dataOf("ckpt-3"))
	disk = vfstest.NewStrict(nil)
	dir = local.DirOn(disk, "/run")
	for name, text := range contents(t, broken) {
		writeFile(t, dir, name, text)
	}
	where, err := Quarantine(background(), dir, "ckpt-3", nil)
	must(t, err)
	return disk, dir, where
}

// wantNoIndexAlone cuts the power after every operation from now on: what has
// the index of ckpt-3 has all of it, and somewhere it is whole.
func wantNoIndexAlone(t *testing.T, disk *vfstest.Strict, places ...string) {
	t.Helper()
	disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
		for cut := range s.Cuts(16, 1) {
			left, found := s.Crash(cut), 0
			is := func(place, suffix string) bool {
				_, err := left.Stat("/run/" + place + "ckpt-3." + suffix)
				return err == nil
			}
			for _, place := range places {
				if !is(place, "index") {
					continue
				}
				if found++; !is(place, "data-00000-of-00001") || !is(place, "receipt.json") {
					t.Errorf("after %v, cut %s, %sckpt-3 has an index and not the rest", op, cut.Name, place)
				}
			}
			if found == 0 {
				t.Errorf("after %v, cut %s, there is no ckpt-3", op, cut.Name)
			}
		}
	})
}

// Proves D10, D21.
func TestPuttingBackSurvivesAPowerCutAfterEachOperation(t *testing.T) {
	disk, dir, where := put3Aside(t)
	wantNoIndexAlone(t, disk, "", where+"/")
	must(t, Unquarantine(background(), dir, where))
}

// answerLost is a place that links an index, and says that it has not.
type answerLost struct{ storage.Dir }

func (d answerLost) Link(ctx context.Context, oldname, newname string) error {
	err := storage.Link(ctx, d.Dir, oldname, newname)
	if err == nil && strings.HasSuffix(newname, ".index") {
		err = errDisk
	}
	return err
}

func (d answerLost) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, d.Dir, name)
}

func (d answerLost) CommitAll(ctx context.Context, waves ...[]storage.Pending) error {
	return storage.CommitAll(ctx, d.Dir, waves...)
}

func (d answerLost) RemoveAll(ctx context.Context, waves ...[]string) error {
	return storage.RemoveAll(ctx, d.Dir, waves...)
}

// Proves D10, D13.
func TestUndoingWhatWasPutBackSurvivesAPowerCutToo(t *testing.T) {
	disk, dir, where := put3Aside(t)
	wantNoIndexAlone(t, disk, "", where+"/")
	if err := Unquarantine(background(), answerLost{dir}, where); !errors.Is(err, errDisk) {
		t.Errorf("Unquarantine() = %v, want %v", err, errDisk)
	}
}

func TestWhatIsPutAsideIsListedNoMore(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 5}, 3)
	flipMiddle(t, dir, dataOf("ckpt-2"))
	_, err := Quarantine(background(), dir, "ckpt-2", nil)
	must(t, err)
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt-1", "ckpt-3")
}

// TestWhatLiesAsideAndIsAnotherStays: of as many bytes, but others.
func TestWhatLiesAsideAndIsAnotherStays(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 5}, 3)
	flipMiddle(t, dir, dataOf("ckpt-3"))
	const other = ".ckpt.quarantine/ckpt-3/ckpt-3.index"
	text := strings.Repeat("x", len(readFile(t, dir, "ckpt-3.index")))
	writeFile(t, dir, other, text)
	where, err := Quarantine(background(), dir, "ckpt-3", nil)
	if err != nil || where != ".ckpt.quarantine/ckpt-3.2" || readFile(t, dir, other) != text {
		t.Errorf("Quarantine() = %q, %v, want another place, and what lay there unchanged", where, err)
	}
}

// TestRepairEndsAnOverwriteFirst, as a manager does.
func TestRepairEndsAnOverwriteFirst(t *testing.T) {
	dir := protected(t, 1, 3, nil)
	sets, err := shelf.Scan(background(), dir, "ckpt-3.")
	must(t, err)
	must(t, shelf.Link(background(), dir, sets["ckpt-3"]))
	flipMiddle(t, dir, dataOf("ckpt-3"))
	if list, err := Repair(background(), dir, "ckpt-3", nil); err != nil || len(list) != 1 || !list[0].Done {
		t.Errorf("Repair() = %+v, %v, want one mended", list, err)
	}
	for _, name := range listing(t, dir) {
		if strings.Contains(name, ".recovery.") {
			t.Errorf("%s is still there", name)
		}
	}
}
