package doctor_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/internal/torture"
)

// sick returns a directory with all that doctor knows of: checkpoints of two
// names, one pinned, an overwrite that was interrupted, leases, and files of
// others.
func sick(t *testing.T) map[string]string {
	t.Helper()
	f := newFolder(t, 4)
	trainParity(t, f.Dir, 2)
	train(t, f.Dir, 2, &checkpoint.ManagerOptions{CheckpointName: "other"})
	f.must(checkpoint.Pin(t.Context(), f.Dir, "ckpt-1", "mine"))
	for _, suffix := range []string{".data-00000-of-00001", ".receipt.json", ".index"} {
		f.must(os.Link(f.at("ckpt-2"+suffix), f.at("ckpt-2.recovery"+suffix)))
	}
	f.write("notes.txt", "mine")
	f.write("sub/ckpt-1.index", "not of this directory")
	f.write("ckpt-9_temp/part-00000-of-00001.index", "x")
	f.write(".ckpt.leases/ckpt-3@X.json", `{"schema":1,"path":"ckpt-3","holder":"me","expires":"2020-01-01T00:00:00Z"}`)
	return f.all()
}

// foreign are files that doctor must never touch.
var foreign = []string{"notes.txt", "sub/ckpt-1.index", "ckpt-9_temp/part-00000-of-00001.index"}

// TestRandomDamageLosesNothing damages a directory at random. Looking changes
// nothing; mending leaves all that could be restored, is done once and for all,
// and a manager goes on afterwards.
//
// Proves D22.
func TestRandomDamageLosesNothing(t *testing.T) {
	fewerChecks(t, 7)
	healthy := sick(t)
	n := 0
	for range torture.Times(1, 40) {
		rapid.Check(t, func(r *rapid.T) {
			n++
			f := newFolder(t, 0)
			f.fill(healthy)
			log := f.harm(r)
			defer func() {
				if t.Failed() {
					t.Logf("after %q", log)
				}
				f.must(os.RemoveAll(f.root))
			}()
			o := &doctor.Options{Deep: rapid.Bool().Draw(r, "deep")}
			f.mendsAll(o, &doctor.FixOptions{State: rapid.Bool().Draw(r, "state")})
		})
	}
	torture.Count(t, "directories damaged and mended", n)
}

// fewerChecks lets rapid check an n-th of what it would under the race detector.
func fewerChecks(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	all, err := strconv.Atoi(before)
	if err == nil {
		err = checks.Set(strconv.Itoa(max(1, all/torture.Thin(n))))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := checks.Set(before); err != nil {
			t.Error(err)
		}
	})
}

// mendsAll examines and mends, and checks what must hold.
func (f folder) mendsAll(o *doctor.Options, fix *doctor.FixOptions) {
	f.t.Helper()
	before, whole := f.all(), f.restorable()
	r := f.examine(o)
	if !maps.Equal(f.all(), before) {
		f.t.Error("Examine has changed the directory")
	}
	after := f.fix(r, fix)
	for path, want := range whole {
		if got, ok := f.value(path); !ok || got != want {
			f.t.Errorf("after Fix %s has %v, %v, want %v as before", path, got, ok, want)
		}
	}
	for _, name := range foreign {
		if text, was := before[name]; was && f.read(name) != text {
			f.t.Errorf("%s has changed", name)
		}
	}
	if again := f.fix(f.examine(o), fix); len(again.Mended) > 0 {
		wantKinds(f.t, "mended by another Fix", again.Mended)
	}
	if len(after.Fixable()) > 0 {
		wantKinds(f.t, "fixable after Fix", after.Fixable())
	}
	goesOn(f)
}

func (f folder) fill(files map[string]string) {
	f.t.Helper()
	for name, text := range files {
		if text != "a directory" {
			f.must(os.MkdirAll(filepath.Dir(f.at(name)), 0o777))
			f.must(os.WriteFile(f.at(name), []byte(text), 0o666))
		}
	}
}

// harm does a few random things to random files, and tells which.
func (f folder) harm(r *rapid.T) (log []string) {
	for i := range rapid.IntRange(0, 5).Draw(r, "harms") {
		names := f.names()
		name := rapid.SampledFrom(names).Draw(r, fmt.Sprint("file", i))
		what := rapid.SampledFrom([]string{"remove", "cut", "flip", "rename", "copy"}).Draw(r, fmt.Sprint("harm", i))
		size := len(f.read(name))
		switch what {
		case "remove":
			f.remove(name)
		case "cut":
			f.write(name, f.read(name)[:rapid.IntRange(0, max(0, size-1)).Draw(r, "to")])
		case "flip":
			if size > 0 {
				f.flip(name, rapid.IntRange(0, size-1).Draw(r, "at"))
			}
		default:
			to := rapid.SampledFrom(names).Draw(r, "to")
			text := f.read(name)
			f.write(to, text)
			if what == "rename" && to != name {
				f.remove(name)
			}
			name += " to " + to
		}
		log = append(log, what+" "+name)
	}
	if rapid.Bool().Draw(r, "old") {
		f.age()
		log = append(log, "two hours")
	}
	return log
}

// names returns the files a harm can be done to.
func (f folder) names() []string {
	var names []string
	for name, text := range f.all() {
		if text != "a directory" && !strings.Contains(name, ".lock-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
