package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestWhatAReaderHoldsIsNotPutAside: it would find its files gone. Proves D28.
func TestWhatAReaderHoldsIsNotPutAside(t *testing.T) {
	dir := broken3(t)
	l, err := TakeLease(background(), dir, "ckpt-3", &LeaseOptions{Holder: "an evaluation"})
	must(t, err)
	was := contents(t, dir)
	if _, err := Quarantine(background(), dir, "ckpt-3", nil); !errors.Is(err, ErrLeased) || !strings.Contains(err.Error(), "an evaluation") {
		t.Errorf("Quarantine() = %v, want ErrLeased and the holder", err)
	}
	path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
	if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
		t.Errorf("LatestValid(Quarantine) = %q, %+v, %v, want ckpt-2 and ckpt-3 where it is", path, passed, err)
	}
	log, text := logged()
	path, _, passed, err = healed(t, dir, &ManagerOptions{Logger: log})
	if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
		t.Errorf("RestoreLatestValid() = %q, %+v, %v, want ckpt-2 and ckpt-3 where it is", path, passed, err)
	}
	wantWarning(t, text, "an evaluation")
	wantContents(t, "while it is read", dir, was)
	must(t, l.Release(background()))
	if path, _, passed, err := healed(t, dir, nil); path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined == "" {
		t.Errorf("after Release: RestoreLatestValid() = %q, %+v, %v, want ckpt-3 put aside", path, passed, err)
	}
}

// TestPuttingAsideAnnouncesItselfAsASweepDoes: by leases, too, nobody leases or
// pins in between.
func TestPuttingAsideAnnouncesItselfAsASweepDoes(t *testing.T) {
	raw := mem.Dir()
	for name, text := range contents(t, broken3(t)) {
		writeFile(t, raw, name, text)
	}
	announced := ""
	traced := storage.WithTrace(raw, func(line string) {
		if strings.HasPrefix(line, "remove ckpt-3.index") {
			announced = ""
			for _, name := range listing(t, raw) {
				if strings.HasPrefix(name, dirlock.Tokens+"/removal@") {
					announced = readFile(t, raw, name)
				}
			}
		}
	})
	dir := storage.WithLease(traced, &storage.LeaseOptions{TTL: time.Minute, Holder: "process 2 (x) on host z"})
	if _, err := Quarantine(background(), dir, "ckpt-3", nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(announced, `"ckpt-3"`) {
		t.Errorf("when ckpt-3 leaves, the token of removal says %q, want it to announce ckpt-3", announced)
	}
}

// TestOnlyOneOfItsNameStandsIn: a checkpoint of another name is of other
// objects. Proves D21.
func TestOnlyOneOfItsNameStandsIn(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	c, _ := one(7)
	ema := newManager(t, c, dir, &ManagerOptions{CheckpointName: "ema", Now: at(500).tick})
	mustSave(t, ema, nil)
	flipMiddle(t, dir, dataOf("ckpt-1"))
	flipMiddle(t, dir, dataOf("ckpt-2"))
	was := contents(t, dir)
	if _, err := Quarantine(background(), dir, "ckpt-2", nil); !errors.Is(err, ErrLastLeft) {
		t.Errorf("Quarantine() = %v, want ErrLastLeft: ckpt-1 is broken, and ema-1 another's", err)
	}
	path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
	if path != "ema-1" || err != nil || len(passed) > 2 {
		t.Errorf("LatestValid(Quarantine) = %q, %+v, %v, want ema-1", path, passed, err)
	}
	if _, _, _, err := healed(t, dir, nil); !errors.Is(err, ErrNoneValid) {
		t.Errorf("RestoreLatestValid() = %v, want ErrNoneValid", err)
	}
	wantContents(t, "after all", dir, was)
}

// onLock does something when the writers' lock is taken.
type onLock struct {
	*lockDir
	do func()
}

func (o onLock) Lock(ctx context.Context, name string) (storage.Held, error) {
	if name == "checkpoint" {
		o.do()
	}
	return o.lockDir.Lock(ctx, name)
}

// TestTheOneThatIsWholeIsLookedAtUnderTheLock: another process removes it, or it
// rots, before this one is the only one that writes. Proves D21.
func TestTheOneThatIsWholeIsLookedAtUnderTheLock(t *testing.T) {
	for what, hurt := range map[string]func(t *testing.T, dir storage.Dir){
		"removed": func(t *testing.T, dir storage.Dir) { must(t, Remove(background(), dir, "ckpt-2")) },
		"broken":  func(t *testing.T, dir storage.Dir) { flip(t, dir, dataOf("ckpt-2"), 2, 1) },
	} {
		place := func() (onLock, *lockDir) {
			dir := withLocks(savedBy(t, ManagerOptions{}, 3))
			flipMiddle(t, dir, dataOf("ckpt-3"))
			must(t, Remove(background(), dir, "ckpt-1"))
			done := false
			return onLock{dir, func() {
				if !done {
					done = true
					hurt(t, dir.Dir)
				}
			}}, dir
		}
		dir, raw := place()
		path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
		if path != "" || !errors.Is(err, ErrNoneValid) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: LatestValid(Quarantine) = %q, %+v, %v, want ErrNoneValid", what, path, passed, err)
		}
		wantPlace(t, what, raw, "ckpt-3")
		dir, raw = place()
		if path, value, passed, err := healed(t, dir, nil); path != "ckpt-2" || value != 2 || err != nil || passed[0].Quarantined != "" {
			t.Errorf("%s: RestoreLatestValid() = %q, %v, %+v, %v, want the values of ckpt-2, and ckpt-3 where it is", what, path, value, passed, err)
		}
		wantPlace(t, what, raw, "ckpt-3")
	}
}

// wantPlace wants a checkpoint's files where they were, and none elsewhere.
func wantPlace(t *testing.T, what string, dir storage.Dir, path string) {
	t.Helper()
	var there int
	for _, name := range listing(t, dir) {
		if strings.HasPrefix(name, path+".") {
			there++
		}
		if strings.HasPrefix(name, ".ckpt.quarantine/") {
			t.Errorf("%s: %s is there", what, name)
		}
	}
	if there < 3 {
		t.Errorf("%s: %d files of %s are left in place, want all", what, there, path)
	}
}
