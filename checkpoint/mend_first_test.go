package checkpoint

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// withParity returns ckpt-1 to ckpt-3 with parity, the values being their
// numbers, in memory with locks.
func withParity(t *testing.T) *lockDir {
	t.Helper()
	dir := withLocks(storage.Dir(onDiskWithParity(t, nil)))
	return dir
}

// onDiskWithParity saves the same on a disk whose operations can fail.
func onDiskWithParity(t *testing.T, before func(vfstest.Op) error) storage.Dir {
	t.Helper()
	disk := vfstest.NewStrict(nil)
	must(t, disk.Mkdir("/train", 0o777))
	dir := local.DirOn(disk, faultRoot)
	v := variable(0)
	m := newManager(t, New(nil, Objects{"v": v}, &Options{Parity: true}), dir, &ManagerOptions{Now: at(1000).tick})
	for i := range 3 {
		v.Value[0] = float32(i + 1)
		mustSave(t, m, nil)
	}
	must(t, m.Close(background()))
	if before == nil {
		return dir
	}
	return local.DirOn(vfstest.Hook(disk, before), faultRoot)
}

// wantMended wants that ckpt-3 was found after it was mended.
func wantMended(t *testing.T, what, path string, passed []Broken, err error) {
	t.Helper()
	if path != "ckpt-3" || err != nil || len(passed) != 1 || passed[0].Path != "ckpt-3" || len(passed[0].Mended) == 0 ||
		!passed[0].Mended[0].Done || passed[0].Err == nil || passed[0].Quarantined != "" {
		t.Errorf("%s = %q, %+v, %v, want ckpt-3 mended", what, path, passed, err)
	}
}

// TestWhatParityCanMendIsMendedFirst: it is the newest, and nothing is lost or put
// aside; that is told. Proves D20, D23.
func TestWhatParityCanMendIsMendedFirst(t *testing.T) {
	for what, hurt := range map[string]func(dir storage.Dir){
		"data":      func(dir storage.Dir) { flipMiddle(t, dir, dataOf("ckpt-3")) },
		"index":     func(dir storage.Dir) { flipMiddle(t, dir, "ckpt-3.index") },
		"data gone": func(dir storage.Dir) { remove(t, dir, dataOf("ckpt-3")) },
		"all broken": func(dir storage.Dir) {
			for _, p := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
				flipMiddle(t, dir, dataOf(p))
			}
		},
	} {
		dir := withParity(t)
		was := contents(t, dir)
		hurt(dir)
		log, text := logged()
		path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true, Logger: log})
		wantMended(t, what+": LatestValid(Quarantine)", path, passed, err)
		wantWarning(t, text, "mended a damaged checkpoint by its parity")
		hurt(dir)
		log, text = logged()
		path, value, passed, err := healed(t, dir, &ManagerOptions{Logger: log})
		wantMended(t, what+": RestoreLatestValid()", path, passed, err)
		if value != 3 {
			t.Errorf("%s: RestoreLatestValid() restores %v, want 3", what, value)
		}
		wantWarning(t, text, "mended a damaged checkpoint by its parity")
		if what == "all broken" {
			continue
		}
		now := contents(t, dir)
		for name := range was {
			if now[name] != was[name] {
				t.Errorf("%s: %s is not what it was", what, name)
			}
		}
	}
}

// TestASectorThatCannotBeReadIsMendedFirst. Proves D23.
func TestASectorThatCannotBeReadIsMendedFirst(t *testing.T) {
	bad := &badSectors{at: make(map[string][]int64)}
	dir := onDiskWithParity(t, bad.before)
	was := contents(t, dir)
	bad.spoil(dataOf("ckpt-3"), 2)
	path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
	wantMended(t, "LatestValid(Quarantine)", path, passed, err)
	wantContents(t, "LatestValid(Quarantine)", dir, was)
	bad.spoil(dataOf("ckpt-3"), 2)
	path, value, passed, err := healed(t, dir, nil)
	wantMended(t, "RestoreLatestValid()", path, passed, err)
	if value != 3 {
		t.Errorf("RestoreLatestValid() restores %v, want 3", value)
	}
	for _, p := range []string{dataOf("ckpt-3"), "ckpt-3.parity-00000-of-00001"} {
		bad.spoil(p, 2, 100)
	}
	if path, _, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true}); path != "" || !errors.Is(err, syscall.EIO) {
		t.Errorf("LatestValid(Quarantine) of what is beyond repair = %q, %v, want EIO: it is no damage", path, err)
	}
	if path, _, _, err := healed(t, dir, nil); path != "" || !errors.Is(err, syscall.EIO) {
		t.Errorf("RestoreLatestValid() of what is beyond repair = %q, %v, want EIO", path, err)
	}
	wantPlace(t, "beyond repair", dir, "ckpt-3")
}

// TestWhatParityCannotMendIsPutAside. Proves D21.
func TestWhatParityCannotMendIsPutAside(t *testing.T) {
	for _, heal := range []func(dir storage.Dir) (string, []Broken, error){
		func(dir storage.Dir) (string, []Broken, error) {
			return LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
		},
		func(dir storage.Dir) (string, []Broken, error) {
			path, _, passed, err := healed(t, dir, nil)
			return path, passed, err
		},
	} {
		dir := withParity(t)
		flipMiddle(t, dir, dataOf("ckpt-3"))
		flip(t, dir, "ckpt-3.parity-00000-of-00001", 75, 1)
		path, passed, err := heal(dir)
		if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != ".ckpt.quarantine/ckpt-3" || passed[0].Mended != nil {
			t.Errorf("beyond repair: %q, %+v, %v, want ckpt-2, and ckpt-3 put aside", path, passed, err)
		}
	}
}

// TestReadersMendNothing: they pass over, and say who could mend it. Proves D20.
func TestReadersMendNothing(t *testing.T) {
	for _, held := range []error{storage.ErrLocked, syscall.EROFS, syscall.ENOSPC, nil} {
		dir := withParity(t)
		flipMiddle(t, dir, dataOf("ckpt-3"))
		was := contents(t, dir)
		dir.held = held
		log, text := logged()
		path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Deep: true, Quarantine: held != nil, Logger: log})
		if path != "ckpt-2" || err != nil || len(passed) != 1 || !strings.Contains(passed[0].Err.Error(), "'ckpt doctor DIR --deep --fix'") {
			t.Errorf("%v: LatestValid() = %q, %+v, %v, want ckpt-2, and what to do", held, path, passed, err)
		}
		wantWarning(t, text, "passed over a checkpoint")
		if held != nil {
			path, _, passed, err = healed(t, dir, nil)
			if path != "ckpt-2" || err != nil || len(passed) != 1 || !strings.Contains(passed[0].Err.Error(), "'ckpt doctor DIR --deep --fix'") {
				t.Errorf("%v: RestoreLatestValid() = %q, %+v, %v, want ckpt-2, and what to do", held, path, passed, err)
			}
		}
		wantContents(t, "after it", dir, was)
	}
}

// TestWhatCannotBeMendedForLackOfRoomStays: it is not put aside because the disk
// is full. Proves D21.
func TestWhatCannotBeMendedForLackOfRoomStays(t *testing.T) {
	full := false
	dir := onDiskWithParity(t, func(op vfstest.Op) error {
		full = full && op.Verb != "link" // there would be room to put it aside
		if full && op.Verb == "write" && !strings.Contains(op.Path, "lock") {
			return syscall.ENOSPC
		}
		return nil
	})
	flipMiddle(t, dir, dataOf("ckpt-3"))
	was := contents(t, dir)
	full = true
	path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
	if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
		t.Errorf("LatestValid(Quarantine) = %q, %+v, %v, want ckpt-2, and ckpt-3 where it is", path, passed, err)
	}
	full = true
	path, _, passed, err = healed(t, dir, nil)
	if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
		t.Errorf("RestoreLatestValid() = %q, %+v, %v, want ckpt-2, and ckpt-3 where it is", path, passed, err)
	}
	wantPlace(t, "on a full disk", dir, "ckpt-3")
	for name, text := range was {
		if strings.HasPrefix(name, "ckpt-") && readFile(t, dir, name) != text {
			t.Errorf("%s has changed", name)
		}
	}
}

// TestWorkersMendTogether: the leader mends, also what only another of them has
// found damaged, and all restore it.
func TestWorkersMendTogether(t *testing.T) {
	for _, alone := range []int{-1, 0, 2} {
		dir := withParity(t)
		flipMiddle(t, dir, dataOf("ckpt-3"))
		whole := withParity(t)
		const n = 3
		paths, passed := make([]string, n), make([][]Broken, n)
		errs := team(n, func(g coordinator.Group) error {
			place := storage.Dir(dir)
			if alone >= 0 && g.Rank() != alone && g.Rank() != 0 {
				place = whole
			}
			x := variable(0)
			m, err := NewManager(background(), New(nil, Objects{"v": x}, &Options{Workers: g}), place, &ManagerOptions{Now: at(2000).now})
			if err != nil {
				return err
			}
			paths[g.Rank()], err = m.RestoreLatestValid(background())
			passed[g.Rank()] = m.PassedOver()
			return errors.Join(err, m.Close(background()))
		})
		for rank, path := range paths {
			wantMended(t, "RestoreLatestValid() of a worker", path, passed[rank], errs[rank])
		}
	}
}
