package checkpoint

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// brokenDisk is a disk with ckpt-1 to ckpt-3, of which ckpt-3 is broken.
func brokenDisk(t *testing.T) *vfstest.Strict {
	t.Helper()
	disk := vfstest.NewStrict(nil)
	must(t, disk.Mkdir("/train", 0o777))
	dir := local.DirOn(disk, faultRoot)
	for name, text := range contents(t, broken3(t)) {
		writeFile(t, dir, name, text)
	}
	return disk
}

// from fails all operations that can, from the i-th of them on.
func from(i int, err error, can func(vfstest.Op) bool) (before func(vfstest.Op) error, hit *bool) {
	hit = new(bool)
	return func(op vfstest.Op) error {
		if !can(op) {
			return nil
		}
		if i--; i >= 0 {
			return nil
		}
		*hit = true
		return err
	}, hit
}

// ours are the files of ckpt-3, wherever they are, and all others but locks.
func placesOf(t *testing.T, dir storage.Dir) (inPlace, aside, rest map[string]string) {
	t.Helper()
	inPlace, aside, rest = make(map[string]string), make(map[string]string), make(map[string]string)
	for name, text := range contents(t, dir) {
		switch {
		case strings.HasPrefix(name, "ckpt-3."):
			inPlace[name] = text
		case strings.HasPrefix(name, ".ckpt.quarantine/"):
			aside[name[strings.LastIndex(name, "/")+1:]] = text
		case !strings.HasPrefix(name, ".ckpt."):
			rest[name] = text
		}
	}
	return inPlace, aside, rest
}

// TestAFullDiskPassesOver: from whichever operation on there is no room, or no
// right to write, the one before is restored, and the broken one is where it was
// or aside, whole, and nothing of it in two places. Proves D20, D21.
func TestAFullDiskPassesOver(t *testing.T) {
	disk := brokenDisk(t)
	was, _, others := placesOf(t, local.DirOn(disk, faultRoot))
	for _, f := range []struct {
		err error
		can func(vfstest.Op) bool
	}{{syscall.ENOSPC, needsSpace}, {syscall.EDQUOT, needsSpace}, {syscall.EROFS, verbs("create", "write", "mkdir", "link", "preallocate")}} {
		for i, more := 0, true; more; i++ {
			for what, run := range map[string]func(dir storage.Dir) (string, error){
				"LatestValid": func(dir storage.Dir) (string, error) {
					path, _, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
					return path, err
				},
				"RestoreLatestValid": func(dir storage.Dir) (string, error) {
					c, _ := one(-1)
					m, err := NewManager(background(), c, dir, nil)
					if err != nil {
						return "", err
					}
					path, err := m.RestoreLatestValid(background())
					return path, errors.Join(err, m.Close(background()))
				},
			} {
				copied := disk.Clone()
				before, hit := from(i, f.err, f.can)
				path, err := run(local.DirOn(vfstest.Hook(copied, before), faultRoot))
				if path != "ckpt-2" || err != nil {
					t.Errorf("%v from the %d. on: %s() = %q, %v, want ckpt-2", f.err, i, what, path, err)
				}
				inPlace, aside, rest := placesOf(t, local.DirOn(copied, faultRoot))
				delete(aside, "cause.json")
				if !maps.Equal(inPlace, was) && !maps.Equal(aside, was) || len(inPlace) > 0 && len(aside) > 0 {
					t.Errorf("%v from the %d. on: %s() leaves %v in place and %v aside", f.err, i, what, keysOf(inPlace), keysOf(aside))
				}
				delete(rest, "checkpoint")
				for name, text := range others {
					if rest[name] != text && name != "checkpoint" {
						t.Errorf("%v from the %d. on: %s() has changed %s", f.err, i, what, name)
					}
				}
				more = *hit
			}
		}
	}
}

func keysOf(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// TestPuttingBackIsDoneOrUndone: whichever operation fails, the checkpoint is in
// its place, whole, or not at all. Proves D13, D21.
func TestPuttingBackIsDoneOrUndone(t *testing.T) {
	disk := brokenDisk(t)
	was, _, _ := placesOf(t, local.DirOn(disk, faultRoot))
	where, err := Quarantine(background(), local.DirOn(disk, faultRoot), "ckpt-3", nil)
	must(t, err)
	for i, more := 0, true; more; i++ {
		for _, failure := range []error{syscall.EIO, vfstest.Done(syscall.EIO)} {
			copied := disk.Clone()
			faulty, hit := vfstest.FailAt(copied, i, failure)
			err := Unquarantine(background(), local.DirOn(faulty, faultRoot), where)
			op, failed := hit()
			inPlace, aside, _ := placesOf(t, local.DirOn(copied, faultRoot))
			delete(aside, "cause.json")
			if !maps.Equal(inPlace, was) && (len(inPlace) > 0 || !maps.Equal(aside, was)) {
				t.Errorf("%v fails: Unquarantine() = %v and leaves %v in place, %v aside", op, err, keysOf(inPlace), keysOf(aside))
			}
			if err == nil && !maps.Equal(inPlace, was) {
				t.Errorf("%v fails: Unquarantine() = nil, and %v is in place", op, keysOf(inPlace))
			}
			if err := Unquarantine(background(), local.DirOn(copied, faultRoot), where); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v fails: Unquarantine() the next time = %v", op, err)
			}
			if inPlace, _, _ := placesOf(t, local.DirOn(copied, faultRoot)); !maps.Equal(inPlace, was) {
				t.Errorf("%v fails: after the next time %v is in place", op, keysOf(inPlace))
			}
			more = failed
		}
	}
}

// TestARefusedPutBackMovesNothing: another checkpoint has the path by now.
// Proves D11.
func TestARefusedPutBackMovesNothing(t *testing.T) {
	for what, there := range map[string][]string{
		"of two shards":          {"ckpt-3.index", "ckpt-3.data-00000-of-00002", "ckpt-3.data-00001-of-00002"},
		"whose index is to come": {"ckpt-3.data-00000-of-00002"},
		"under way":              {"ckpt-3.recovery.index"},
		"of the same names":      {dataOf("ckpt-3")},
	} {
		dir := broken3(t)
		where, err := Quarantine(background(), dir, "ckpt-3", nil)
		must(t, err)
		for _, name := range there {
			writeFile(t, dir, name, "another's")
		}
		was := contents(t, dir)
		if err := Unquarantine(background(), dir, where); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "ckpt-3.") {
			t.Errorf("%s: Unquarantine() = %v, want fs.ErrExist and a name", what, err)
		}
		wantContents(t, what, dir, was)
	}
}

// TestWhatWasMovedBackByHandIsNotToldOf: with "mv", which leaves the cause.
func TestWhatWasMovedBackByHandIsNotToldOf(t *testing.T) {
	dir := broken3(t)
	was := contents(t, dir)
	moved := func() string {
		where, err := Quarantine(background(), dir, "ckpt-3", nil)
		must(t, err)
		for name, text := range contents(t, dir) {
			if base, aside := strings.CutPrefix(name, where+"/"); aside && base != "cause.json" {
				writeFile(t, dir, base, text)
				remove(t, dir, name)
			}
		}
		if list, err := Quarantined(background(), dir); len(list) != 0 || err != nil {
			t.Errorf("Quarantined() = %+v, %v, want none", list, err)
		}
		return where
	}
	first := moved()
	if second := moved(); second != first {
		t.Errorf("put aside again it is in %s, want %s", second, first)
	}
	must(t, Unquarantine(background(), dir, first))
	if err := Unquarantine(background(), dir, first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Unquarantine() of nothing = %v, want fs.ErrNotExist", err)
	}
	now := contents(t, dir)
	delete(now, "checkpoint")
	delete(was, "checkpoint")
	if !maps.Equal(now, was) {
		t.Errorf("there is %v, want %v", keysOf(now), keysOf(was))
	}
}

// TestOnlyFilesOfACheckpointAreToldOf: others may lie in the quarantine, too.
func TestOnlyFilesOfACheckpointAreToldOf(t *testing.T) {
	dir := broken3(t)
	for name, text := range map[string]string{
		"a/cause.json": `{"path": "ckpt-9"}`, "a/notes.txt": "x", // moved back, and written about
		"b/cause.json": `{"path": "old"}`, "b/old": "V1", // of TensorFlow 1, whose names say little
		"c/cause.json": `{"path": "older"}`, "c/older-00000-of-00002": "V1",
	} {
		writeFile(t, dir, ".ckpt.quarantine/"+name, text)
	}
	list, err := Quarantined(background(), dir)
	if err != nil || len(list) != 2 || list[0].Path != "old" || list[1].Path != "older" {
		t.Errorf("Quarantined() = %+v, %v, want old and older", list, err)
	}
}
