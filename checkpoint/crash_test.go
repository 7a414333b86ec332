package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

var errDead = errors.New("the process is dead")

// mortal is a Dir whose process dies after some changes: from then on every
// call fails and changes nothing. What its Dir holds is what a restart finds.
type mortal struct {
	storage.Dir
	mu       sync.Mutex
	left     int  // changes until death; negative: it lives on
	backward bool // order of changes that have none
	dead     bool
}

// change does one change, or dies before it.
func (m *mortal) change(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead = m.dead || m.left == 0; m.dead {
		return errDead
	}
	m.left--
	return do()
}

func (m *mortal) died() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) Open(ctx context.Context, name string) (storage.File, error) {
	if m.died() {
		return nil, errDead
	}
	return m.Dir.Open(ctx, name)
}

func (m *mortal) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	if m.died() {
		return func(yield func(storage.Info, error) bool) { yield(storage.Info{}, errDead) }
	}
	return m.Dir.List(ctx, prefix)
}

func (m *mortal) Create(ctx context.Context, name string) (storage.Pending, error) {
	if m.died() {
		return nil, errDead
	}
	p, err := m.Dir.Create(ctx, name)
	return &mortalPending{p, m}, err
}

func (m *mortal) Remove(ctx context.Context, name string) error {
	return m.change(func() error { return m.Dir.Remove(ctx, name) })
}

func (m *mortal) Link(ctx context.Context, oldname, newname string) error {
	return m.change(func() error { return storage.Link(ctx, m.Dir, oldname, newname) })
}

// CommitAll commits wave by wave, and inside a wave in either order.
func (m *mortal) CommitAll(_ context.Context, waves ...[]storage.Pending) error {
	for _, wave := range waves {
		for i := range wave {
			if m.backward {
				i = len(wave) - 1 - i
			}
			if err := wave[i].Commit(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *mortal) RemoveAll(ctx context.Context, waves ...[]string) error {
	return storage.RemoveAll(ctx, struct{ storage.Dir }{m}, waves...)
}

type mortalPending struct {
	storage.Pending
	m *mortal
}

func (p *mortalPending) Commit() error { return p.m.change(p.Pending.Commit) }

// cut runs run again and again with a directory that dies after 0, 1, 2 ...
// changes, and then check with what is left, until run ends alive.
func cut(t *testing.T, prepare func(storage.Dir), run func(dir storage.Dir, done func()), check func(t *testing.T, left storage.Dir, done int)) {
	for _, backward := range []bool{false, true} {
		for k := 0; ; k += torture.Thin(5) {
			disk := mem.Dir()
			prepare(disk)
			m := &mortal{Dir: disk, left: k, backward: backward}
			done := 0
			run(m, func() { done++ })
			t.Run(fmt.Sprintf("after %d changes, backward %v", k, backward), func(t *testing.T) {
				check(t, disk, done)
			})
			if !m.died() {
				break
			}
			if k > 1000 {
				t.Fatal("the run does not end")
			}
		}
	}
}

// value restores path into a fresh object.
func value(t *testing.T, dir storage.Dir, path string) float32 {
	t.Helper()
	c, v := one(-1)
	if _, err := c.Restore(background(), dir, path); err != nil {
		t.Errorf("Restore(%s) = %v", path, err)
	}
	return v.Value[0]
}

// restorable counts the checkpoints that can be restored.
func restorable(t *testing.T, dir storage.Dir) int {
	t.Helper()
	list, err := List(background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range list {
		if l.Complete && value(t, dir, l.Path) >= 0 {
			n++
		}
	}
	return n
}

func TestManagerSurvivesACrashAfterEachChange(t *testing.T) {
	const saves = 6
	for _, o := range []ManagerOptions{
		{MaxToKeep: 1},
		{MaxToKeep: 2},
		{MaxToKeep: 1, KeepCheckpointEvery: 2 * time.Second},
		{MaxToKeep: 2, Async: &Async{Queue: 2}},
	} {
		run := func(dir storage.Dir, done func()) {
			c, v := one(0)
			now, o := at(1000), o
			o.Now = now.tick
			m, err := NewManager(background(), c, dir, &o)
			var begun []*Saving
			for i := 1; err == nil && i <= saves; i++ {
				var s *Saving
				v.Value[0] = float32(i)
				if s, err = m.Begin(background(), nil); s != nil {
					begun = append(begun, s)
				}
			}
			for _, s := range begun {
				if s.Wait(background()) == nil {
					done()
				}
			}
		}
		check := func(t *testing.T, left storage.Dir, done int) {
			if done > 0 {
				oldOrNew(t, left, done)
			}
			if n, want := restorable(t, left), min(done, o.MaxToKeep); n < want {
				t.Errorf("%d checkpoints can be restored, want at least %d", n, want)
			}
			goesOn(t, left, o, done)
		}
		cut(t, func(storage.Dir) {}, run, check)
	}
}

// oldOrNew checks the latest checkpoint when done saves were done, and
// perhaps another one was.
func oldOrNew(t *testing.T, dir storage.Dir, done int) {
	t.Helper()
	path, err := Latest(background(), dir)
	if err != nil {
		t.Fatalf("Latest() = %v", err)
	}
	if got := value(t, dir, path); got != float32(done) && got != float32(done+1) {
		t.Errorf("restored %v from %s, want %d or %d", got, path, done, done+1)
	}
}

// goesOn restarts: restores, saves twice, and finds no leftovers.
func goesOn(t *testing.T, dir storage.Dir, o ManagerOptions, done int) {
	t.Helper()
	c, v := one(-1)
	now := at(2000)
	o.Now, o.KeepCheckpointEvery, o.Async = now.tick, 0, nil
	m := newManager(t, c, dir, &o)
	path, err := m.RestoreOrInitialize(background())
	if err != nil {
		t.Fatalf("RestoreOrInitialize() = %v", err)
	}
	if got := v.Value[0]; path != "" && got != float32(done) && got != float32(done+1) {
		t.Errorf("restart restored %v from %s, want %d or %d", got, path, done, done+1)
	}
	before := onDisk(t, dir)
	for _, next := range []float32{100, 101} {
		v.Value[0] = next
		path = mustSave(t, m, nil)
		if contains(before, path) {
			t.Errorf("Save() = %q, which was there before", path)
		}
		if got := value(t, dir, path); got != next {
			t.Errorf("restored %v from %s, want %v", got, path, next)
		}
	}
	noOrphans(t, dir)
}

// noOrphans checks that every file belongs to a checkpoint with an index. A
// data file alone may be there, and stay: nothing says that it is ours and
// not TensorFlow's, just being written.
func noOrphans(t *testing.T, dir storage.Dir) {
	t.Helper()
	sets, err := shelf.Scan(background(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for p, s := range sets {
		if !s.Complete() && (s.Index != nil || s.Receipt != nil) {
			t.Errorf("%s is not complete: of its files there are %v", p, s.Others())
		}
	}
}

func TestOverwritingSurvivesACrashAfterEachChange(t *testing.T) {
	const writes = 3
	for name, prepare := range map[string]func(storage.Dir){
		"one of ours":         func(dir storage.Dir) { writeValue(t, dir, 1) },
		"one without receipt": func(dir storage.Dir) { writeValue(t, dir, 1); remove(t, dir, "m-1.receipt.json") },
		"one of two shards":   func(dir storage.Dir) { writeSharded(t, dir, "m-1", 1) },
		"one with a stale receipt": func(dir storage.Dir) {
			writeValue(t, dir, 7)
			stale := readFile(t, dir, "m-1.receipt.json")
			remove(t, dir, "m-1.index")
			writeValue(t, dir, 1)
			writeFile(t, dir, "m-1.receipt.json", stale)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(dir storage.Dir, done func()) {
				c, v := one(0)
				for i := 2; i <= writes; i++ {
					v.Value[0] = float32(i)
					if err := c.Write(background(), dir, "m-1"); err != nil {
						return
					}
					done()
				}
			}
			check := func(t *testing.T, left storage.Dir, done int) {
				got := value(t, left, "m-1")
				if got != float32(1+done) && got != float32(2+done) {
					t.Errorf("restored %v, want %d or %d", got, 1+done, 2+done)
				}
				// The next writer finds nothing it cannot cope with.
				writeValue(t, left, 50)
				if got := value(t, left, "m-1"); got != 50 {
					t.Errorf("restored %v after another write, want 50", got)
				}
				noOrphans(t, left)
				wantPaths(t, "files", listing(t, left), "m-1.data-00000-of-00001", "m-1.index", "m-1.receipt.json")
			}
			cut(t, prepare, run, check)
		})
	}
}

// TestRollingBackSurvivesACrashAfterEachChange crashes twice: in the midst of
// an overwrite, and in putting that right.
func TestRollingBackSurvivesACrashAfterEachChange(t *testing.T) {
	for first := range 9 {
		prepare := func(dir storage.Dir) {
			writeValue(t, dir, 1)
			c, v := one(2)
			v.Value[0] = 2
			// It may fail or not, as far as it gets.
			err := c.Write(background(), &mortal{Dir: dir, left: first}, "m-1")
			t.Logf("first crash after %d changes: %v", first, err)
		}
		run := func(dir storage.Dir, done func()) {
			if shelf.SettleAt(background(), dir, "m-1", receiptFiles) == nil {
				done()
			}
		}
		check := func(t *testing.T, left storage.Dir, done int) {
			if got := value(t, left, "m-1"); got != 1 && got != 2 {
				t.Errorf("restored %v, want 1 or 2", got)
			}
			if done == 1 {
				noOrphans(t, left)
			}
		}
		cut(t, prepare, run, check)
	}
}

// TestRollingBackRemovesWhatOnlyTheNewCheckpointHas: the old one had two data
// files, and the new one's single file was there already.
func TestRollingBackRemovesWhatOnlyTheNewCheckpointHas(t *testing.T) {
	dir := mem.Dir()
	writeSharded(t, dir, "m-1", 1)
	before := listing(t, dir)
	c, _ := one(2)
	const linksReceiptAndData = 3 + 2
	if err := c.Write(background(), &mortal{Dir: dir, left: linksReceiptAndData}, "m-1"); !errors.Is(err, errDead) {
		t.Fatalf("Write() = %v, want it dead", err)
	}
	if err := shelf.SettleAt(background(), dir, "m-1", receiptFiles); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, "files", listing(t, dir), before...)
	if got := value(t, dir, "m-1"); got != 1 {
		t.Errorf("restored %v, want 1", got)
	}
}

func TestExplicitNumberUsedAgainSurvivesACrashAfterEachChange(t *testing.T) {
	run := func(dir storage.Dir, done func()) {
		c, v := one(0)
		now := at(1000)
		m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
		for i := 1; err == nil && i <= 4; i++ {
			v.Value[0] = float32(i)
			if _, err = m.Save(background(), &SaveOptions{CheckpointNumber: number64(3)}); err == nil {
				done()
			}
		}
	}
	check := func(t *testing.T, left storage.Dir, done int) {
		if done > 0 {
			oldOrNew(t, left, done)
		}
		goesOn(t, left, ManagerOptions{MaxToKeep: 2}, done)
	}
	cut(t, func(storage.Dir) {}, run, check)
}

func writeValue(t *testing.T, dir storage.Dir, v float32) {
	t.Helper()
	c, _ := one(v)
	if err := c.Write(background(), dir, "m-1"); err != nil {
		t.Fatalf("Write() = %v", err)
	}
}

// writeSharded writes a checkpoint of one value into two data files.
func writeSharded(t *testing.T, dir storage.Dir, path string, v float32) {
	t.Helper()
	c, _ := one(v)
	var shards []tensorbundle.Shard
	tensors := trackable.Save(c, nil)
	for i := range 2 {
		p, err := dir.Create(background(), tensorbundle.DataName(path, i, 2))
		if err != nil {
			t.Fatal(err)
		}
		w, n := tensorbundle.NewWriter(p, i), 0
		for named, err := range tensors {
			if n++; err != nil {
				t.Fatal(err)
			}
			if (n-1)%2 != i {
				continue
			}
			if err := w.Add(named); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Commit(); err != nil {
			t.Fatal(err)
		}
		shards = append(shards, w.Shard())
	}
	p, err := dir.Create(background(), tensorbundle.IndexName(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := tensorbundle.WriteIndex(p, shards); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
}
