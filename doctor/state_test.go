package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/storage"
)

// mended returns the state file that is written in the place of another.
func mended(f folder, text string) string {
	f.t.Helper()
	f.write("checkpoint", text)
	f.fix(f.examine(nil), nil)
	return f.read("checkpoint")
}

// TestStateFileIsAsItWas breaks one line after the other, each of which the
// others or the receipts make up for.
func TestStateFileIsAsItWas(t *testing.T) {
	f := newFolder(t, 3)
	train(t, f.Dir, 2, &checkpoint.ManagerOptions{MaxToKeep: 2})
	want := f.read("checkpoint")
	lines := strings.SplitAfter(want, "\n")
	for i, line := range lines[:len(lines)-2] { // nothing else knows the last preserved time
		broken := strings.Join(lines[:i], "") + strings.Replace(line, ": ", ": !", 1) + strings.Join(lines[i+1:], "")
		if got := mended(f, broken); got != want {
			t.Errorf("of\n%s\nit becomes\n%s\nwant\n%s", broken, got, want)
		}
	}
}

// TestStateFileOfAnotherProgramKeepsItsTimes: without receipts only what is left
// of the file tells which of its checkpoints are managed, and since when.
func TestStateFileOfAnotherProgramKeepsItsTimes(t *testing.T) {
	f := newFolder(t, 3)
	f.remove("ckpt-1.receipt.json", "ckpt-2.receipt.json", "ckpt-3.receipt.json")
	f.must(checkpoint.WriteState(t.Context(), f.Dir, checkpoint.State{
		ModelCheckpointPath: "ckpt-3", AllModelCheckpointPaths: []string{"ckpt-1", "ckpt-3"},
		AllModelCheckpointTimestamps: []time.Time{time.Unix(1000, 0), time.Unix(3000, 5e8)}, LastPreservedTimestamp: time.Unix(500, 0)}))
	want := f.read("checkpoint")
	if got := mended(f, strings.Replace(want, "model_checkpoint_path", "mod\xffl", 1)); got != want {
		t.Errorf("it becomes\n%s\nwant\n%s", got, want)
	}
	if got, want := mended(f, ""), "model_checkpoint_path: \"ckpt-3\"\nall_model_checkpoint_paths: \"ckpt-3\"\n"; got != want {
		t.Errorf("of nothing it becomes\n%s\nwant one that lists nothing as managed,\n%s", got, want)
	}
}

// TestPinnedAndKeptCheckpointsAreNotListed: a TensorFlow manager would remove
// them.
func TestPinnedAndKeptCheckpointsAreNotListed(t *testing.T) {
	f := newFolder(t, 4)
	f.must(checkpoint.Pin(t.Context(), f.Dir, "ckpt-2", "mine"))
	for p, change := range map[string]func(*checkpoint.Receipt){
		"ckpt-1": func(r *checkpoint.Receipt) { r.Kept = "every hour" },
		"ckpt-3": func(r *checkpoint.Receipt) { r.Retained = "the best" },
	} {
		r, err := checkpoint.ReadReceipt(t.Context(), f.Dir, p)
		f.must(err)
		change(&r)
		f.must(checkpoint.WriteReceipt(t.Context(), f.Dir, p, r))
	}
	got := mended(f, "")
	for p, want := range map[string]int{"ckpt-1": 0, "ckpt-2": 0, "ckpt-3": 0, "ckpt-4": 2} {
		if n := strings.Count(got, `"`+p+`"`); n != want {
			t.Errorf("%s is named %d times, want %d, in\n%s", p, n, want, got)
		}
	}
}

// TestNumbersThatWereChosenSayNothingOfAge: the save counters do.
func TestNumbersThatWereChosenSayNothingOfAge(t *testing.T) {
	f := newFolder(t, 0)
	c, _ := one()
	m, err := checkpoint.NewManager(t.Context(), c, f.Dir, nil)
	f.must(err)
	for _, n := range []int64{30, 10, 20} {
		_, err := m.Save(t.Context(), &checkpoint.SaveOptions{CheckpointNumber: &n})
		f.must(err)
	}
	f.must(m.Close(t.Context()))
	if r := f.examine(nil); r.Newest != "ckpt-20" || len(r.Findings) > 0 {
		t.Errorf("newest is %s with %q, want ckpt-20 and nothing found", r.Newest, kinds(r.Findings))
	}
	if got := mended(f, ""); !strings.HasPrefix(got, `model_checkpoint_path: "ckpt-20"`) {
		t.Errorf("the state file becomes\n%s\nwant one that names ckpt-20", got)
	}
}

// TestWhatIsReplacedIsKept: once, however often it is mended.
func TestWhatIsReplacedIsKept(t *testing.T) {
	f := newFolder(t, 2)
	const broken = "broken"
	for range 2 {
		mended(f, broken)
	}
	copies := 0
	for name, text := range f.all() {
		if strings.HasPrefix(name, "checkpoint.old-") {
			copies++
			if text != broken {
				t.Errorf("%s holds %q, want %q", name, text, broken)
			}
		}
	}
	if copies != 1 {
		t.Errorf("%d copies of the state file, want one", copies)
	}
	if r := f.examine(nil); len(r.Unknown) != 0 {
		t.Errorf("%q are unknown, want none", r.Unknown)
	}
}

// TestMendingNeedsTheLock: another process at work is named.
func TestMendingNeedsTheLock(t *testing.T) {
	f := newFolder(t, 2)
	f.write("checkpoint", "")
	before := f.all()
	r, err := doctor.Examine(t.Context(), locked{f.Dir}, doctor.Impatient(nil))
	f.must(err)
	if _, err := r.Fix(t.Context(), nil); !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "process 7 on host") {
		t.Errorf("Fix() = %v, want %v and by whom", err, storage.ErrLocked)
	}
	after := f.all()
	if len(after) != len(before) || after["checkpoint"] != "" {
		t.Error("Fix has changed the directory without the lock")
	}
}

// locked is a Dir whose lock another process holds.
type locked struct{ storage.Dir }

func (locked) Lock(context.Context, string) (storage.Held, error) {
	return nil, fmt.Errorf("%w (process 7 on host)", storage.ErrLocked)
}

// TestAStateFileNamesWhatWasRead: of a checkpoint that was not read nobody knows
// that it is whole, and what a state file names is what a training goes on from.
//
// Proves D22.
func TestAStateFileNamesWhatWasRead(t *testing.T) {
	for name, harm := range map[string]func(f folder){
		"set back": func(f folder) { f.write("checkpoint", "model_checkpoint_path: \"ckpt-1\"\n") },
		"missing":  func(f folder) { f.remove("checkpoint") },
		"empty":    func(f folder) { f.write("checkpoint", "") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t, 4)
			harm(f)
			f.flip("ckpt-4.data-00000-of-00001", 0)
			f.flip("ckpt-3.data-00000-of-00001", 0)
			after := f.fix(f.examine(nil), &doctor.FixOptions{State: true})
			if got := f.read("checkpoint"); !strings.HasPrefix(got, `model_checkpoint_path: "ckpt-2"`) {
				t.Errorf("the state file becomes\n%s\nwant one that names ckpt-2, the newest that is whole", got)
			}
			wantKinds(t, "findings after Fix", after.Findings, "damaged", "damaged")
		})
	}
}

// TestWhatFailsStillTells: what was found is in the report of a Fix that could
// not begin.
func TestWhatFailsStillTells(t *testing.T) {
	f := newFolder(t, 2)
	f.write("checkpoint", "")
	r, err := doctor.Examine(t.Context(), locked{f.Dir}, doctor.Impatient(nil))
	f.must(err)
	after, err := r.Fix(t.Context(), nil)
	if !errors.Is(err, storage.ErrLocked) {
		t.Errorf("Fix() = %v, want %v", err, storage.ErrLocked)
	}
	wantKinds(t, "findings", after.Findings, "state-broken")
}

// plain is a place without locks.
type plain struct{ storage.Dir }

// TestThatThereIsNoLockIsTold: a training may have been at work meanwhile.
func TestThatThereIsNoLockIsTold(t *testing.T) {
	for want, place := range map[bool]func(folder) storage.Dir{
		true:  func(f folder) storage.Dir { return plain{f.Dir} },
		false: func(f folder) storage.Dir { return f.Dir },
	} {
		f := newFolder(t, 2)
		f.write("checkpoint", "")
		r, err := doctor.Examine(t.Context(), place(f), doctor.Impatient(nil))
		f.must(err)
		after, err := r.Fix(t.Context(), nil)
		f.must(err)
		if after.Unlocked != want {
			t.Errorf("Unlocked = %v, want %v", after.Unlocked, want)
		}
	}
}

// TestWhatIsLeftIsNotToBeRemoved: the finding that nothing passes says what
// could be done, and not to begin anew.
func TestWhatIsLeftIsNotToBeRemoved(t *testing.T) {
	for want, parity := range map[string]bool{": --deep --fix mends ckpt-1": true, "with ckpt cat": false} {
		f := newFolder(t, 0)
		if parity {
			trainParity(t, f.Dir, 1)
		} else {
			train(t, f.Dir, 1, nil)
		}
		f.flip("ckpt-1.index", 0)
		list := f.examine(&doctor.Options{Deep: true}).Findings
		if !slices.Contains(kinds(list), "none-valid") {
			t.Errorf("found are %q, want none-valid", kinds(list))
		}
		for _, g := range list {
			if g.Kind == doctor.NoneValid && (!strings.Contains(g.Fix, want) || !strings.Contains(g.Fix, "Remove none")) {
				t.Errorf("what to do is %q, want %q", g.Fix, want)
			}
		}
	}
}

// TestWhatLooksWholeAndIsNotIsNeverNamed, also where the damage was found in
// passing, by who wanted to know whether it holds what another has lost.
func TestWhatLooksWholeAndIsNotIsNeverNamed(t *testing.T) {
	f := newFolder(t, 2)
	train(t, f.Dir, 2, &checkpoint.ManagerOptions{CheckpointName: "other"})
	const data = ".data-00000-of-00001"
	f.write("other-2"+data, f.read("other-1"+data)) // of the same size
	f.remove("other-1" + data)
	f.must(checkpoint.WriteState(t.Context(), f.Dir, checkpoint.State{ModelCheckpointPath: "ckpt-2"}))
	f.age()
	after := f.fix(f.examine(nil), &doctor.FixOptions{State: true})
	for _, g := range after.Mended {
		if g.Kind == doctor.StateNotNewest {
			t.Errorf("mended: %s; %s", g.What, g.Fix)
		}
	}
	if s, err := checkpoint.ReadState(t.Context(), f.Dir); err != nil || s.ModelCheckpointPath != "ckpt-2" {
		t.Errorf("the state file names %q, %v, want ckpt-2", s.ModelCheckpointPath, err)
	}
}
