package checkpoint

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// savedTimes saves so many checkpoints that hold their numbers.
func savedTimes(t *testing.T, parity bool, saves int) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	v := variable(0)
	c := New(nil, Objects{"v": v}, &Options{Parity: parity})
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 5, Now: at(1000).tick})
	for range saves {
		v.Value[0]++
		mustSave(t, m, nil)
	}
	must(t, m.Close(background()))
	return dir
}

// reopened opens a manager of other objects, as the next process does.
func reopened(t *testing.T, dir storage.Dir, o ManagerOptions) (*Manager, *variableF) {
	t.Helper()
	c, v := one(-1)
	o.Now = at(5000).tick
	return newManager(t, c, dir, &o), v
}

func removeFiles(t *testing.T, dir storage.Dir, names ...string) {
	t.Helper()
	for _, name := range names {
		remove(t, dir, name)
	}
}

func fates(t *testing.T, dir storage.Dir) string {
	t.Helper()
	list, err := Orphans(background(), dir)
	must(t, err)
	var all []string
	for _, o := range list {
		all = append(all, o.Path+" "+map[OrphanFate]string{OrphanUnclear: "unclear", OrphanLeftover: "left", OrphanLost: "lost"}[o.Fate])
	}
	return strings.Join(all, ", ")
}

// TestAllIndexesAndTheStateFileLost: no automatism removes what parity could
// bring back, nor begins from zero beside it.
//
// Proves D9, D20.
func TestAllIndexesAndTheStateFileLost(t *testing.T) {
	for _, parity := range []bool{true, false} {
		dir := savedTimes(t, parity, 3)
		removeFiles(t, dir, filename.State, "ckpt-1.index", "ckpt-2.index", "ckpt-3.index")
		m, v := reopened(t, dir, ManagerOptions{InitFn: nil})
		path, err := m.RestoreOrInitialize(background())
		if err == nil || !strings.Contains(err.Error(), "ckpt-3.index") {
			t.Fatalf("parity %v: RestoreOrInitialize() = %q, %v, want an error that names ckpt-3.index", parity, path, err)
		}
		if path, err := Latest(background(), dir); path != "ckpt-3" || err != nil {
			t.Errorf("parity %v: Latest() = %q, %v, want ckpt-3", parity, path, err)
		}
		if path, _, err := LatestValid(background(), dir, nil); !errors.Is(err, ErrNoneValid) || !strings.Contains(err.Error(), "ckpt-3.index") {
			t.Errorf("parity %v: LatestValid() = %q, %v, want %v that names ckpt-3.index", parity, path, err, ErrNoneValid)
		}
		for range 2 { // and if they go on all the same
			mustSave(t, m, nil)
			must(t, m.Close(background()))
			m, v = reopened(t, dir, ManagerOptions{})
		}
		for _, name := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
			if !contains(listing(t, dir), name+".data-00000-of-00001") {
				t.Errorf("parity %v: the data of %s is gone", parity, name)
			}
			if !parity {
				continue
			}
			if _, err := Repair(background(), dir, name, nil); err != nil {
				t.Errorf("Repair(%s) = %v", name, err)
			}
		}
		if !parity {
			continue
		}
		if _, err := m.c.Restore(background(), dir, "ckpt-3"); err != nil || v.Value[0] != 3 {
			t.Errorf("after Repair ckpt-3 holds %v, %v, want 3", v.Value[0], err)
		}
	}
}

// TestANewestThatLostItsIndexIsNotPassedOverSilently, as one is not that lost a
// data file.
//
// Proves D20.
func TestANewestThatLostItsIndexIsNotPassedOverSilently(t *testing.T) {
	for _, test := range []struct {
		what   string
		parity bool
		lost   []string
	}{
		{"index", false, []string{"ckpt-3.index"}},
		{"index and receipt", false, []string{"ckpt-3.index", "ckpt-3.receipt.json"}},
		{"index, with parity", true, []string{"ckpt-3.index"}},
		{"index and state file, with parity", true, []string{"ckpt-3.index", filename.State}},
		{"index and receipt and state file, with parity", true, []string{"ckpt-3.index", "ckpt-3.receipt.json", filename.State}},
	} {
		dir := savedTimes(t, test.parity, 3)
		removeFiles(t, dir, test.lost...)
		m, _ := reopened(t, dir, ManagerOptions{})
		_, err := m.RestoreOrInitialize(background())
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ckpt-3.index") || !strings.Contains(err.Error(), "Fallback") ||
			strings.Contains(err.Error(), "ckpt doctor") != test.parity {
			t.Errorf("%s: RestoreOrInitialize() = %v", test.what, err)
		}
		must(t, m.Close(background()))
		m, v := reopened(t, dir, ManagerOptions{Fallback: true})
		path, err := m.RestoreOrInitialize(background())
		if passed := m.PassedOver(); path != "ckpt-2" || err != nil || v.Value[0] != 2 || len(passed) != 1 || passed[0].Path != "ckpt-3" {
			t.Errorf("%s: with Fallback RestoreOrInitialize() = %q, %v, passed over %v", test.what, path, err, passed)
		}
	}
}

// TestALatestOfAnotherNameThatLostItsIndexIsTold: the state file is shared.
func TestALatestOfAnotherNameThatLostItsIndexIsTold(t *testing.T) {
	dir := savedTimes(t, false, 2)
	c, _ := one(7)
	m := newManager(t, c, dir, &ManagerOptions{CheckpointName: "ema", Now: at(2000).tick})
	mustSave(t, m, nil)
	must(t, m.Close(background()))
	remove(t, dir, m.LatestCheckpoint()+".index")
	next, _ := reopened(t, dir, ManagerOptions{})
	if _, err := next.RestoreOrInitialize(background()); err == nil || !strings.Contains(err.Error(), m.LatestCheckpoint()+".index") {
		t.Errorf("RestoreOrInitialize() = %v, want an error that names %s.index", err, m.LatestCheckpoint())
	}
}

// TestWhatASaveLeftThatWasCutShortGoes, be it the first of all or a later one.
//
// Proves D5.
func TestWhatASaveLeftThatWasCutShortGoes(t *testing.T) {
	for _, parity := range []bool{false, true} {
		for _, saves := range []int{1, 2, 4} {
			dir := savedTimes(t, parity, saves)
			before := mem.Dir()
			for _, name := range listing(t, dir) { // as a cut before the last index leaves it
				writeFile(t, before, name, readFile(t, dir, name))
			}
			last := filename.Numbered("ckpt", int64(saves))
			remove(t, before, last+".index")
			if parity {
				remove(t, before, last+".parity-index")
			}
			if saves == 1 {
				remove(t, before, filename.State)
			} else {
				was := savedTimes(t, parity, saves-1)
				writeFile(t, before, filename.State, readFile(t, was, filename.State))
			}
			m, _ := reopened(t, before, ManagerOptions{MaxToKeep: 5})
			if path, err := m.RestoreOrInitialize(background()); err != nil || (path == "") != (saves == 1) {
				t.Errorf("after a cut save %d: RestoreOrInitialize() = %q, %v", saves, path, err)
			}
			mustSave(t, m, nil)
			for _, name := range listing(t, before) {
				if strings.HasPrefix(name, last+".") {
					t.Errorf("after a cut save %d: %s stays", saves, name)
				}
			}
		}
	}
}

// TestOrphansAreJudgedByWhatIsThere goes through what may become of indexes.
//
// Proves D9.
func TestOrphansAreJudgedByWhatIsThere(t *testing.T) {
	for _, test := range []struct {
		what   string
		parity bool
		change func(dir storage.Dir)
		want   string
	}{
		{"a removal was cut", false, func(dir storage.Dir) { remove(t, dir, "ckpt-1.index") }, "ckpt-1 left"},
		{"a removal was cut, without parity of the index", true, func(dir storage.Dir) { removeFiles(t, dir, "ckpt-1.index", "ckpt-1.parity-index") }, "ckpt-1 left"},
		{"an index was lost", true, func(dir storage.Dir) { remove(t, dir, "ckpt-1.index") }, "ckpt-1 lost"},
		{"parity of another checkpoint", true, func(dir storage.Dir) {
			remove(t, dir, "ckpt-1.index")
			writeFile(t, dir, "ckpt-1.parity-index", readFile(t, dir, "ckpt-2.parity-index"))
		}, "ckpt-1 left"},
		{"the latest", false, func(dir storage.Dir) { remove(t, dir, "ckpt-3.index") }, "ckpt-3 lost"},
		{"a pinned one", false, func(dir storage.Dir) {
			must(t, Pin(background(), dir, "ckpt-2", "mine"))
			remove(t, dir, "ckpt-2.index")
		}, "ckpt-2 lost"},
		{"the newest, and the state file", false, func(dir storage.Dir) { removeFiles(t, dir, "ckpt-3.index", filename.State) }, "ckpt-3 unclear"},
		{"an older one, and the state file", false, func(dir storage.Dir) { removeFiles(t, dir, "ckpt-2.index", filename.State) }, "ckpt-2 left"},
		{"an older one, and the latest is damaged", false, func(dir storage.Dir) {
			remove(t, dir, "ckpt-2.index")
			flipMiddle(t, dir, "ckpt-3.index")
		}, "ckpt-2 unclear"},
		{"all of them", false, func(dir storage.Dir) {
			removeFiles(t, dir, "ckpt-1.index", "ckpt-2.index", "ckpt-3.index", filename.State)
		},
			"ckpt-1 lost, ckpt-2 lost, ckpt-3 lost"},
		{"data alone", false, func(dir storage.Dir) { removeFiles(t, dir, "ckpt-1.index", "ckpt-1.receipt.json") }, ""},
		{"data that is not what the receipt tells of", false, func(dir storage.Dir) {
			remove(t, dir, "ckpt-1.index")
			writeFile(t, dir, "ckpt-1.data-00000-of-00001", "x")
		}, ""},
	} {
		dir := savedTimes(t, test.parity, 3)
		test.change(dir)
		if got := fates(t, dir); got != test.want {
			t.Errorf("%s: Orphans() = %q, want %q", test.what, got, test.want)
		}
	}
}

// TestNothingLeavesTheParityOfAnIndexWithoutIt: a save publishes it after the
// index, and a removal takes it before, each durably. Where it is alone, the
// index was lost.
func TestNothingLeavesTheParityOfAnIndexWithoutIt(t *testing.T) {
	c := New(nil, Objects{"v": variable(1)}, &Options{Parity: true})
	var tr tracer
	raw := mem.Dir()
	m := newManager(t, c, storage.WithTrace(raw, tr.tell), &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	did := tr.take("")
	for _, want := range []string{"; ckpt-2.index; ckpt-2.parity-index checkpoint\n", "remove ckpt-1.parity-index; ckpt-1.index; "} {
		if !strings.Contains(did, want) {
			t.Errorf("two saves did\n%s\nwant %q among it", did, want)
		}
	}
	must(t, Remove(background(), storage.WithTrace(raw, tr.tell), "ckpt-2"))
	if did := tr.take(""); !strings.Contains(did, "remove ckpt-2.parity-index; ckpt-2.index; ") {
		t.Errorf("Remove did\n%s", did)
	}
}
