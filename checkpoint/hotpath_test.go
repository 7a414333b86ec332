package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/fence"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// shape is what a save did, without the numbers in names.
func shape(trace string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, trace)
}

// TestSavesCostTheSameHoweverManyWereBefore: no save after a manager's first
// lists the directory, and none does more than the one before.
func TestSavesCostTheSameHoweverManyWereBefore(t *testing.T) {
	for _, keep := range []int{0, 3} {
		var tr tracer
		dir := storage.WithTrace(mem.Dir(), tr.tell)
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: keep, Now: at(1000).tick})
		wantSameCost(t, fmt.Sprintf("Manager.Save, MaxToKeep %d", keep), &tr, func() error {
			_, err := m.Save(background(), nil)
			return err
		})
	}
	var tr tracer
	dir := storage.WithTrace(mem.Dir(), tr.tell)
	c, _ := one(1)
	wantSameCost(t, "Checkpoint.Save", &tr, func() error {
		_, err := c.Save(background(), dir, "sub/ckpt")
		return err
	})
	wantSameCost(t, "Checkpoint.Write", &tr, func() error {
		return c.Write(background(), dir, fmt.Sprint("export", len(listing(t, dir))))
	})
}

func wantSameCost(t *testing.T, what string, tr *tracer, save func() error) {
	t.Helper()
	var early string
	for k := 1; k <= 200; k++ {
		tr.take("")
		if err := save(); err != nil {
			t.Fatal(err)
		}
		// Who is about to be removed may be leased: that takes a list of the leases.
		did := strings.ReplaceAll(tr.take(""), "\nlist "+dirlock.Leases+"/\n", "\nleases\n")
		// And who takes a lock looks whether others rely on a lease.
		did = strings.ReplaceAll(did, "\nlist "+fence.Tokens+"/\n", "\ntokens\n")
		if what == "Checkpoint.Write" {
			did = strings.Join(strings.SplitAfter(did, "\n")[2:], "") // without the test's own listing
		}
		switch {
		case k > 1 && strings.Contains(did, "\nlist "):
			t.Fatalf("%s number %d lists the directory:\n%s", what, k, did)
		case k == 100:
			early = shape(did)
		case k == 200 && shape(did) != early:
			t.Errorf("%s number 200 does\n%s, number 100\n%s", what, shape(did), early)
		}
	}
}

// TestSavesAllocateTheSameHoweverManyAreKept: lists grow, but nothing is made for
// each checkpoint that is kept.
func TestSavesAllocateTheSameHoweverManyAreKept(t *testing.T) {
	for _, keep := range []int{0, 5, 400} {
		c, _ := one(1)
		m := newManager(t, c, mem.Dir(), &ManagerOptions{MaxToKeep: keep, Now: at(1000).tick})
		save := func() { mustSave(t, m, nil) }
		for range 30 {
			save()
		}
		early := testing.AllocsPerRun(10, save)
		for range 400 {
			save()
		}
		// As many as 20 more are of lists that grew; what a sweep makes is no more with more.
		sweep := 0.0
		if keep == 400 {
			sweep = 600
		}
		if late := testing.AllocsPerRun(10, save); late > early+sweep+50 {
			t.Errorf("MaxToKeep %d: the 440th save makes %v allocations, the 40th %v", keep, late, early)
		}
	}
}

// TestNumbersOfOthersAreNeverOverwritten: what somebody else writes while a
// manager is at work is noticed without looking for it.
func TestNumbersOfOthersAreNeverOverwritten(t *testing.T) {
	for name, files := range map[string][]string{
		"a checkpoint":       {"ckpt-3.index", "ckpt-3.data-00000-of-00001"},
		"one under way":      {"ckpt-3.data-00000-of-00001"},
		"one half removed":   {"ckpt-3.index"},
		"and one far beyond": {"ckpt-3.index", "ckpt-3.data-00000-of-00001", "ckpt-7.index"},
	} {
		dir := mem.Dir()
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: at(1000).tick})
		mustSave(t, m, nil)
		mustSave(t, m, nil)
		want := "ckpt-4"
		for _, f := range files {
			writeFile(t, dir, f, "foreign")
			if strings.HasPrefix(f, "ckpt-7") {
				want = "ckpt-8"
			}
		}
		if got := mustSave(t, m, nil); got != want {
			t.Errorf("%s: Save() = %q, want %q", name, got, want)
		}
		for range 3 {
			mustSave(t, m, nil)
		}
		for _, f := range files {
			if got := readFile(t, dir, f); got != "foreign" {
				t.Errorf("%s: %s holds %q after other saves", name, f, got)
			}
		}
	}
}

// TestNumbersInAnothersStateFileAreTaken: a manager of another process, such
// as TensorFlow's, that has gone ahead.
func TestNumbersInAnothersStateFileAreTaken(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	mustSave(t, m, nil)
	if err := WriteState(background(), dir, State{ModelCheckpointPath: "ckpt-9"}); err != nil {
		t.Fatal(err)
	}
	if got := mustSave(t, m, nil); got != "ckpt-10" {
		t.Errorf("Save() = %q, want ckpt-10", got)
	}
}

// TestVictimsOfWhateverOriginAreRemovedWhole: from before this manager, its
// own, overwritten ones, and with more data files than one.
func TestVictimsOfWhateverOriginAreRemovedWhole(t *testing.T) {
	dir, now := savedBy(t, ManagerOptions{}, 3), at(2000)
	remove(t, dir, "ckpt-1.index")
	writeSharded(t, dir, "ckpt-1", 1)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	for range 2 {
		mustSave(t, m, nil)
		mustSave(t, m, &SaveOptions{CheckpointNumber: number64(20)})
	}
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "files", listing(t, dir), "checkpoint",
		"ckpt-23.data-00000-of-00001", "ckpt-23.index", "ckpt-23.receipt.json",
		"ckpt-24.data-00000-of-00001", "ckpt-24.index", "ckpt-24.receipt.json")
}

// TestManagersByAnyPathShareADirectory: one directory by several values, a
// symbolic link and a part of its parent. No manager's list is lost in
// another's.
func TestManagersByAnyPathShareADirectory(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("d", filepath.Join(root, "alias")); err != nil {
		t.Fatal(err)
	}
	ways := map[string]func() storage.Dir{
		"same":   func() storage.Dir { return local.Dir(filepath.Join(root, "d")) },
		"alias":  func() storage.Dir { return local.Dir(filepath.Join(root, "alias")) },
		"sub":    func() storage.Dir { return storage.Sub(local.Dir(root), "d") },
		"traced": func() storage.Dir { return storage.WithTrace(local.Dir(filepath.Join(root, "d")), func(string) {}) },
	}
	const each, saves = 2, 4
	var wg sync.WaitGroup
	for way, dir := range ways {
		for i := range each {
			c, _ := one(1)
			m := newManager(t, c, dir(), &ManagerOptions{MaxToKeep: 2, CheckpointName: fmt.Sprint(way, i)})
			wg.Go(func() {
				for range saves {
					if _, err := m.Save(background(), nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	listed := readState(t, ways["same"]()).AllModelCheckpointPaths
	for way := range ways {
		for i := range each {
			for _, n := range []int{saves - 1, saves} {
				if p := fmt.Sprintf("%s%d-%d", way, i, n); !contains(listed, p) {
					t.Errorf("state lists %v, want %s among them", listed, p)
				}
			}
		}
	}
}
