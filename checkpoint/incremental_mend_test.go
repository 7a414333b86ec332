package checkpoint

import (
	"errors"
	"os"
	"testing"

	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestABadSectorOfASharedFileIsMendedInEach: parity makes the bytes again into a
// file of each checkpoint's own, and a save after it links nothing that was bad.
//
// Proves D23, D30.
func TestABadSectorOfASharedFileIsMendedInEach(t *testing.T) {
	at := t.TempDir()
	dir := local.Dir(at)
	l := newLayers(&Options{Incremental: &Incremental{}, Parity: true}, 3000, 500)
	m := newManager(t, l.c, dir, nil)
	for i := range 3 {
		l.set(1, float32(i))
		mustSave(t, m, nil)
	}
	want := l.values()
	spoilInPlace(t, at+"/ckpt-3.data-00001-of-00002") // and so all that share it
	for _, p := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
		r, err := Load(background(), dir, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := closing(r, r.Verify(background(), nil)); err == nil {
			t.Fatalf("Verify(%s) = nil, want damage", p)
		}
		if _, err := Repair(background(), dir, p, nil); err != nil {
			t.Errorf("Repair(%s) = %v", p, err)
		}
	}
	holds(t, dir, "ckpt-3", want)
	p := mustSave(t, m, nil)
	holds(t, dir, p, l.values())
	list, err := Orphans(background(), dir)
	if err != nil || len(list) > 0 {
		t.Errorf("Orphans = %v, %v, want none", list, err)
	}
}

// TestWhatSharesAFileWithADamagedOneStays, and what is not that file is not linked.
//
// Proves D30.
func TestWhatSharesAFileWithADamagedOneStays(t *testing.T) {
	dir := local.Dir(t.TempDir())
	l := newLayers(incremental, 3000, 500)
	m := newManager(t, l.c, dir, nil)
	for range 3 {
		mustSave(t, m, nil)
	}
	flipMiddle(t, dir, "ckpt-3.data-00001-of-00002") // written anew: only this name's
	if _, err := newLayers(nil, 3000, 500).c.Restore(background(), dir, "ckpt-3"); err == nil {
		t.Error("Restore(ckpt-3) = nil, want damage")
	}
	holds(t, dir, "ckpt-2", l.values())
	p := mustSave(t, m, nil)
	holds(t, dir, p, l.values())
	wantLinked(t, dir, p)
}

// spoilInPlace changes a byte of a file in place, as a disk does: under all its
// names, and at no time that it tells.
func spoilInPlace(t *testing.T, name string) {
	t.Helper()
	was, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, 6000); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, 6000); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Chtimes(name, was.ModTime(), was.ModTime())); err != nil {
		t.Fatal(err)
	}
}
