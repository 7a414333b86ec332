package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// turning is a Dir that knows in which turns of its locks things happen.
type turning struct {
	storage.Dir
	mu    sync.Mutex
	in    map[string]int
	lines []string
}

func (d *turning) Lock(ctx context.Context, name string) (storage.Held, error) {
	held, err := storage.Lock(ctx, d.Dir, name)
	if err != nil {
		return nil, err
	}
	return turnHeld{held, d, name}, nil
}

type turnHeld struct {
	storage.Held
	d    *turning
	name string
}

func (h turnHeld) Turn(ctx context.Context) (func(), error) {
	end, err := h.Held.Turn(ctx)
	if err != nil {
		return nil, err
	}
	h.d.count(h.name, 1)
	return func() { h.d.count(h.name, -1); end() }, nil
}

func (d *turning) count(name string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in[name] += n
}

// tell notes an operation, and the turns it was done in.
func (d *turning) tell(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var in []string
	for _, name := range slices.Sorted(maps.Keys(d.in)) {
		if d.in[name] > 0 {
			in = append(in, name)
		}
	}
	d.lines = append(d.lines, fmt.Sprintf("%s within %q", line, in))
}

// TestWhatChangesCheckpointsHasItsTurn: who writes has the turn of the
// writers' lock, and who removes or marks that of the second one.
//
// Proves D9, D26.
func TestWhatChangesCheckpointsHasItsTurn(t *testing.T) {
	writers, removal := filename.State, dirlock.Removal
	for what, c := range map[string]struct {
		do     func(*testing.T, storage.Dir) error
		about  string // beginning of the lines in question
		within []string
		broken bool // ckpt-3
	}{
		"save":          {savesOnce(&ManagerOptions{}), "commit ckpt-4", []string{writers}, false},
		"save later":    {savesOnce(&ManagerOptions{Async: &Async{}}), "commit ckpt-4", []string{writers}, false},
		"open later":    {opensLater, "remove ckpt-3.recovery", []string{writers}, false},
		"sweep":         {savesOnce(&ManagerOptions{MaxToKeep: 1}), "remove ckpt-", []string{writers, removal}, false},
		"close":         {closesAfterAFailedSweep(nil), "remove ckpt-", []string{writers, removal}, false},
		"close late":    {closesAfterAFailedSweep(savesOther), "remove ckpt-", []string{writers, removal}, false},
		"make room":     {makesRoom, "remove ckpt-", []string{writers, removal}, false},
		"overwrite":     {savesAgain, "commit ckpt-3", []string{writers, removal}, false},
		"together":      {writesTogether, "commit ckpt-3.index", []string{writers, removal}, false},
		"plain":         {writesOnce(nil), "commit plain", []string{writers}, false},
		"plain later":   {writesOnce(&Options{Async: &Async{}}), "commit plain", []string{writers}, false},
		"remove":        {func(t *testing.T, d storage.Dir) error { return Remove(t.Context(), d, "ckpt-1") }, "remove ckpt-1", []string{writers}, false},
		"remove unheld": {func(t *testing.T, d storage.Dir) error { _, err := RemoveUnheld(t.Context(), d, "ckpt-1"); return err }, "remove ckpt-1", []string{writers, removal}, false},
		"pin":           {func(t *testing.T, d storage.Dir) error { return Pin(t.Context(), d, "ckpt-1", "why") }, "commit ckpt-1", []string{removal}, false},
		"reject":        {func(t *testing.T, d storage.Dir) error { return Reject(t.Context(), d, "ckpt-1", "why") }, "commit ckpt-1", []string{removal}, false},
		"prune":         {prunes, "remove ckpt-1", []string{writers, removal}, false},
		"quarantine":    {quarantines, "remove ckpt-3", []string{writers, removal}, true},
		"heal":          {heals, "commit ckpt-3", []string{writers}, true},
		"heal no more":  {healsNoMore, "remove ckpt-3", []string{writers, removal}, true},
		"put back":      {putsBack, "link .ckpt.quarantine", []string{writers, removal}, true},
		"repair":        {repairs, "commit ckpt-3", []string{writers}, true},
		"lease":         {takesLease, "publish .ckpt.leases/ckpt-1", []string{removal}, false},
		"settle":        {savesAgain, "remove ckpt-3.recovery", []string{writers}, false},
	} {
		t.Run(what, func(t *testing.T) {
			d := &turning{Dir: protected(t, 1, 3, nil), in: make(map[string]int)}
			if c.broken {
				flipMiddle(t, d.Dir, dataOf("ckpt-3"))
			}
			if err := c.do(t, storage.WithTrace(d, d.tell)); err != nil {
				t.Fatal(err)
			}
			d.wantWithin(t, c.about, c.within)
		})
	}
}

func (d *turning) wantWithin(t *testing.T, about string, within []string) {
	t.Helper()
	n := 0
	for _, line := range d.lines {
		if !strings.HasPrefix(line, about) {
			continue
		}
		n++
		_, turns, _ := strings.Cut(line, " within ")
		for _, name := range within {
			if !strings.Contains(turns, fmt.Sprintf("%q", name)) {
				t.Errorf("%s, want also within %q", line, name)
			}
		}
	}
	if n == 0 {
		t.Errorf("nothing is %q of\n%s", about, strings.Join(d.lines, "\n"))
	}
}

func savesOnce(o *ManagerOptions) func(*testing.T, storage.Dir) error {
	return func(t *testing.T, d storage.Dir) error {
		c, _ := one(2)
		m := newManager(t, c, d, o)
		if _, err := m.RestoreOrInitialize(t.Context()); err != nil {
			return err
		}
		mustSave(t, m, nil)
		return m.Sync(t.Context())
	}
}

// over is a Dir of which the one below it has the locks and the space.
type over struct {
	storage.Dir
	below small
}

func (d over) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, d.below.Dir, name)
}

func (d over) Space(ctx context.Context) (storage.Space, error) { return d.below.Space(ctx) }

// closesAfterAFailedSweep leaves it to Close to remove anything, after what
// somebody else does in between.
func closesAfterAFailedSweep(between func(*testing.T, storage.Dir)) func(*testing.T, storage.Dir) error {
	return func(t *testing.T, d storage.Dir) error {
		fails := true
		broken := &failing{d, func(op, name string) error {
			if fails && op == "remove" && strings.HasPrefix(name, "ckpt-") {
				return errDisk
			}
			return nil
		}}
		c, _ := one(2)
		m := newManager(t, c, over{broken, small{d, 1 << 40}}, &ManagerOptions{MaxToKeep: 1})
		mustSave(t, m, nil)
		if fails = false; between != nil {
			between(t, d)
		}
		return m.Close(t.Context())
	}
}

// savesOther changes the state file.
func savesOther(t *testing.T, d storage.Dir) {
	c, _ := one(2)
	mustSave(t, newManager(t, c, d, &ManagerOptions{CheckpointName: "other"}), nil)
}

// makesRoom saves where there is not room for all, and fails after it has made
// room: what is removed then is not of a sweep.
func makesRoom(t *testing.T, d storage.Dir) error {
	used, err := MeasureDisk(t.Context(), d)
	if err != nil {
		return err
	}
	broken := &failing{d, func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, "ckpt-4") {
			return errDisk
		}
		return nil
	}}
	c, _ := one(2)
	m := newManager(t, c, over{broken, small{d, used.Unique}}, &ManagerOptions{MaxToKeep: 2, MakeRoom: true})
	if _, err := m.Save(t.Context(), nil); !errors.Is(err, errDisk) {
		t.Errorf("Save = %v, want %v", err, errDisk)
	}
	wantPaths(t, "state's paths", readState(t, d).AllModelCheckpointPaths, onDisk(t, d)...)
	return nil
}

func savesAgain(t *testing.T, d storage.Dir) error {
	c, _ := one(2)
	m := newManager(t, c, d, &ManagerOptions{})
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(3)})
	return nil
}

func writesOnce(o *Options) func(*testing.T, storage.Dir) error {
	return func(t *testing.T, d storage.Dir) error {
		c := New(nil, Objects{"v": variable(1)}, o)
		if err := c.SaveAs(t.Context(), d, "plain", nil); err != nil {
			return err
		}
		return c.Sync(t.Context())
	}
}

// opensLater finds an overwrite that was cut.
func opensLater(t *testing.T, d storage.Dir) error {
	sets, err := shelf.Scan(t.Context(), d, "ckpt-3.")
	if err != nil {
		return err
	}
	if err := shelf.Link(t.Context(), d, sets["ckpt-3"]); err != nil {
		return err
	}
	return savesOnce(&ManagerOptions{Async: &Async{}})(t, d)
}

func writesTogether(t *testing.T, d storage.Dir) error {
	objects := Objects{"v0": floats(t, 2), "v1": floats(t, 2)}
	mustTeam(t, 2, func(g coordinator.Group) error {
		return New(nil, copies(objects), &Options{Workers: g}).Write(t.Context(), d, "ckpt-3")
	})
	return nil
}

func prunes(t *testing.T, d storage.Dir) error {
	return planned(t, d, retention.Latest(1), nil).Do(t.Context())
}

func quarantines(t *testing.T, d storage.Dir) error {
	_, err := Quarantine(t.Context(), d, "ckpt-3", nil)
	return err
}

// healsNoMore heals when parity is of no use.
func healsNoMore(t *testing.T, d storage.Dir) error {
	writeFile(t, d, "ckpt-3.parity-00000-of-00001", "")
	return heals(t, d)
}

func heals(t *testing.T, d storage.Dir) error {
	_, _, _, err := healed(t, d, nil)
	return err
}

func putsBack(t *testing.T, d storage.Dir) error {
	where, err := Quarantine(t.Context(), d, "ckpt-3", nil)
	if err != nil {
		return err
	}
	return Unquarantine(t.Context(), d, where)
}

func takesLease(t *testing.T, d storage.Dir) error {
	l, err := TakeLease(t.Context(), d, "ckpt-1", nil)
	if err != nil {
		return err
	}
	return l.Release(t.Context())
}

func repairs(t *testing.T, d storage.Dir) error {
	_, err := Repair(t.Context(), d, "ckpt-3", nil)
	return err
}
