package checkpoint

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// onWrite calls do once, after the first bytes of a file were written.
type onWrite struct {
	storage.Dir
	file string // what its name ends with
	do   func()
}

func (d *onWrite) Share(ctx context.Context, from, to string) (storage.Pending, error) {
	return storage.Share(ctx, d.Dir, from, to)
}

func (d *onWrite) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := d.Dir.Create(ctx, name)
	if err != nil || !strings.HasSuffix(name, d.file) {
		return p, err
	}
	return &writtenTo{p, d}, nil
}

type writtenTo struct {
	storage.Pending
	d *onWrite
}

func (p *writtenTo) Write(b []byte) (int, error) {
	n, err := p.Pending.Write(b)
	if p.d.do != nil {
		p.d.do()
		p.d.do = nil
	}
	return n, err
}

// TestAFrozenTensorThatChangesWhileItIsWritten makes no checkpoint, and is not
// what was written when the next is made.
func TestAFrozenTensorThatChangesWhileItIsWritten(t *testing.T) {
	dir := &onWrite{Dir: mem.Dir(), file: "data-00001-of-00002"}
	l := newLayers(&Options{Incremental: &Incremental{}, Async: &Async{}, Frozen: firstIsFrozen}, 3000, 500)
	dir.do = func() { copy(l.vars[0].Value, sequenceOf(44, 3000)) }
	for _, p := range []string{"a", "b", "c"} {
		if err := l.c.Write(background(), dir, p); err != nil {
			t.Fatal(err)
		}
		err := l.c.Sync(background())
		if p != "a" {
			if err != nil {
				t.Fatal(err)
			}
			holds(t, dir, p, l.values())
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "w0/.ATTRIBUTES/VARIABLE_VALUE: is frozen, and has changed") {
			t.Errorf("Sync = %v, want what has changed", err)
		}
	}
	if list := onDisk(t, dir); len(list) != 2 {
		t.Errorf("there are %q, want b and c", list)
	}
	wantLinked(t, dir, "b")
	wantLinked(t, dir, "c", "data-00001-of-00003", "data-00002-of-00003")
}

// TestWhatWasFoundDamagedIsNotLinked: a bad sector that the program has met does
// not get into what it saves then.
func TestWhatWasFoundDamagedIsNotLinked(t *testing.T) {
	for what, meet := range map[string]func(l *layers, m *Manager) error{
		"by a restore": func(l *layers, m *Manager) error {
			_, err := l.c.Restore(background(), m.dir, "ckpt-3")
			return err
		},
		"by a read": func(l *layers, m *Manager) error {
			_, err := l.c.Read(background(), m.dir, "ckpt-3")
			return err
		},
		"by the manager, which can go back to none": func(l *layers, m *Manager) error {
			_, err := m.RestoreLatestValid(background())
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			at := t.TempDir()
			dir := local.Dir(at)
			l := newLayers(incremental, 3000, 500)
			m := newManager(t, l.c, dir, nil)
			for i := range 3 {
				l.set(1, float32(i))
				mustSave(t, m, nil)
			}
			want := l.values()
			spoilInPlace(t, at+"/ckpt-1.data-00000-of-00001")
			if err := meet(l, m); err == nil {
				t.Fatal("no damage is found")
			}
			p := mustSave(t, m, nil)
			wantLinked(t, dir, p)
			holds(t, dir, p, want)
		})
	}
}

// TestWhatAnotherCheckpointRestoresIsWritten: two may have objects in common.
func TestWhatAnotherCheckpointRestoresIsWritten(t *testing.T) {
	dir := local.Dir(t.TempDir())
	l := newLayers(incremental, 1000, 500)
	if err := l.c.Write(background(), dir, "a"); err != nil {
		t.Fatal(err)
	}
	other := newLayers(nil, 1000)
	other.set(0, 5)
	if err := other.c.Write(background(), dir, "pretrained"); err != nil {
		t.Fatal(err)
	}
	if _, err := New(nil, Objects{"w0": l.vars[0]}, nil).Read(background(), dir, "pretrained"); err != nil {
		t.Fatal(err)
	}
	if err := l.c.Write(background(), dir, "b"); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "b", [][]float32{other.values()[0], l.values()[1]})
	wantLinked(t, dir, "b")
}

// TestWhatLiesWhereTheBaseWas is written over or removed by another Checkpoint
// of this process, while a save waits and before its call.
func TestWhatLiesWhereTheBaseWas(t *testing.T) {
	for what, change := range map[string]func(dir storage.Dir, other *layers) error{
		"replaced": func(dir storage.Dir, other *layers) error { return other.c.Write(background(), dir, "a") },
		"removed":  func(dir storage.Dir, _ *layers) error { return Remove(background(), dir, "a") },
		"removed and used again": func(dir storage.Dir, other *layers) error {
			return errors.Join(Remove(background(), dir, "a"), other.c.Write(background(), dir, "a"))
		},
		"replaced twice": func(dir storage.Dir, other *layers) error {
			return errors.Join(other.c.Write(background(), dir, "a"), other.c.Write(background(), dir, "a"))
		},
	} {
		for place, dir := range bothPlaces(t) {
			t.Run(what+" "+place, func(t *testing.T) {
				l := newLayers(&Options{Incremental: &Incremental{}, Async: &Async{Queue: 4}}, 3000, 500)
				other := newLayers(incremental, 3000, 500)
				other.set(0, 99)
				write := func(path string) {
					t.Helper()
					if err := l.c.Write(background(), dir, path); err != nil {
						t.Fatal(err)
					}
				}
				write("a")
				if err := l.c.Sync(background()); err != nil {
					t.Fatal(err)
				}
				release := hold(l.c)
				write("waiting")
				if err := change(dir, other); err != nil {
					t.Fatal(err)
				}
				write("after")
				release()
				if err := l.c.Sync(background()); err != nil {
					t.Fatal(err)
				}
				wantLinked(t, dir, "waiting", "data-00001-of-00002")
				wantLinked(t, dir, "after")
				holds(t, dir, "waiting", l.values())
				holds(t, dir, "after", l.values())
			})
		}
	}
}

// onShare calls do before something is shared.
type onShare struct {
	storage.Dir
	do func()
}

func (d *onShare) Share(ctx context.Context, from, to string) (storage.Pending, error) {
	d.do()
	return storage.Share(ctx, d.Dir, from, to)
}

// TestACallThatEndsWhileItLinks leaves nothing, counts nothing, and what comes
// after it is right.
func TestACallThatEndsWhileItLinks(t *testing.T) {
	for _, async := range []*Async{nil, {}} {
		at := t.TempDir()
		ctx, cancel := context.WithCancel(background())
		dir := &onShare{Dir: local.Dir(at), do: func() {}}
		l := newLayers(&Options{Incremental: &Incremental{Rewrite: 2}, Async: async}, 3000, 500)
		write := func(ctx context.Context, path string) error {
			return errors.Join(l.c.Write(ctx, dir, path), l.c.Sync(background()))
		}
		if err := write(background(), "a"); err != nil {
			t.Fatal(err)
		}
		dir.do = cancel
		if err := write(ctx, "b"); !errors.Is(err, context.Canceled) {
			t.Fatalf("Write = %v, want %v", err, context.Canceled)
		}
		dir.do = func() {}
		entries, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".ckpt.tmp-") {
				t.Errorf("%s stays", e.Name())
			}
		}
		if err := write(background(), "c"); err != nil {
			t.Fatal(err)
		}
		wantLinked(t, dir, "c", "data-00001-of-00002")
		holds(t, dir, "c", l.values())
	}
}

// TestTensorsWithoutElementsAndWhatIsTheSame do not keep others from being linked.
func TestTensorsWithoutElementsAndWhatIsTheSame(t *testing.T) {
	for place, dir := range bothPlaces(t) {
		l := newLayers(incremental, 0, 1000, 0, 1000, 1)
		l.set(3, 1) // as w1 but for its name
		for _, p := range []string{"a", "b", "c"} {
			if err := l.c.Write(background(), dir, p); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, p, l.values())
			if p != "a" {
				wantLinked(t, dir, p, "data-00001-of-00002")
			}
		}
		copy(l.vars[3].Value, sequenceOf(3, 1000))
		if err := l.c.Write(background(), dir, "d"); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, "d", l.values())
		copy(l.vars[1].Value, l.vars[3].Value) // what another had
		copy(l.vars[3].Value, sequenceOf(1, 1000))
		if err := l.c.Write(background(), dir, "e"); err != nil {
			t.Fatal(place, err)
		}
		holds(t, dir, "e", l.values())
	}
}

// TestWhatIsTheFileThatWasWritten: size, time and identity each tell another.
func TestWhatIsTheFileThatWasWritten(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, name string){
		"another file of that size and time": func(t *testing.T, name string) {
			text, err := os.ReadFile(name)
			text[6000] ^= 1
			mustDo(t, err, os.WriteFile(name+"x", text, 0o666), os.Rename(name+"x", name))
		},
		"another size": func(t *testing.T, name string) { mustDo(t, os.Truncate(name, 6000)) },
		"another time": func(t *testing.T, name string) {
			spoilInPlace(t, name)
			mustDo(t, os.Chtimes(name, time.Time{}, time.Now().Add(time.Minute)))
		},
	} {
		for _, file := range []string{"a.data-00000-of-00001", "a.parity-00000-of-00001"} {
			t.Run(what+" "+file[2:6], func(t *testing.T) {
				at := t.TempDir()
				dir := local.Dir(at)
				l := newLayers(&Options{Incremental: &Incremental{}, Parity: true}, 20000)
				mustDo(t, l.c.Write(background(), dir, "a"))
				if strings.HasPrefix(what, "another file") && !hasIDs(t, dir) {
					return // nothing else tells
				}
				was, err := os.Stat(at + "/" + file)
				mustDo(t, err)
				change(t, at+"/"+file)
				if what != "another time" {
					mustDo(t, os.Chtimes(at+"/"+file, was.ModTime(), was.ModTime()))
				}
				mustDo(t, l.c.Write(background(), dir, "b"))
				wantLinked(t, dir, "b")
				holds(t, dir, "b", l.values())
			})
		}
	}
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestAFailedSaveIsCountedOnce, and that is taken back once: who shares a file is
// known after it, too.
func TestAFailedSaveIsCountedOnce(t *testing.T) {
	for _, async := range []*Async{nil, {}} {
		dir := &failingCommits{Dir: local.Dir(t.TempDir())}
		l := newLayers(&Options{Incremental: &Incremental{Rewrite: 3}, Async: async}, 1000)
		m := newManager(t, l.c, dir, &ManagerOptions{Async: async})
		var got strings.Builder
		for _, fails := range []bool{false, false, true, true, false, false, false} {
			dir.on = fails
			p, err := m.Save(background(), nil)
			if err = errors.Join(err, m.Sync(background())); (err != nil) != fails {
				t.Fatalf("Save = %v", err)
			}
			if fails {
				got.WriteString("x")
				continue
			}
			linked, _ := linkedOf(t, dir, p)
			got.WriteString("-l"[min(len(linked), 1):][:1])
		}
		if want := "-lxxl-l"; got.String() != want {
			t.Errorf("saves are %q (l: linked, x: failed), want %q", got.String(), want)
		}
	}
}

// brokenFlush fails the commit of all that is shared, as a disk does that cannot
// flush a file.
type brokenFlush struct {
	storage.Dir
	on bool
}

func (d *brokenFlush) Share(ctx context.Context, from, to string) (storage.Pending, error) {
	p, err := storage.Share(ctx, d.Dir, from, to)
	if err != nil || !d.on {
		return p, err
	}
	return unflushable{p}, nil
}

type unflushable struct{ storage.Pending }

func (u unflushable) Commit() error { return errors.Join(syscall.EIO, u.Discard()) }

// TestWhatCouldNotBeFlushedIsNoBase: nobody knows what such a file has.
//
// Proves D14.
func TestWhatCouldNotBeFlushedIsNoBase(t *testing.T) {
	for place, under := range bothPlaces(t) {
		dir := &brokenFlush{Dir: under}
		l := newLayers(incremental, 1000, 500)
		mustDo(t, l.c.Write(background(), dir, "a"))
		dir.on = true
		if err := l.c.Write(background(), dir, "b"); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: Write(b) = %v, want %v", place, err, syscall.EIO)
		}
		dir.on = false
		mustDo(t, l.c.Write(background(), dir, "c"))
		wantLinked(t, dir, "c")
		holds(t, dir, "a", l.values())
		holds(t, dir, "c", l.values())
	}
}
