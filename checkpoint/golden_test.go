package checkpoint

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestFilesAreTensorFlowsByteForByte saves what TensorFlow saved and compares
// every file, state files included.
func TestFilesAreTensorFlowsByteForByte(t *testing.T) {
	names, err := filepath.Glob("../trackable/testdata/tf/*.json")
	if err != nil || len(names) < 20 {
		t.Fatalf("found %d descriptions (%v), want at least 20", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			g, err := graphs.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := mem.Dir()
			saveGraph(t, g, dir)
			compareFiles(t, dir, filepath.Join("testdata/tf", g.Name))
		})
	}
}

// saveGraph makes the calls that the description names.
func saveGraph(t *testing.T, g *graphs.Graph, dir storage.Dir) {
	t.Helper()
	b, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	looks := -1
	c := New(b.Root(), b.Attached(), &Options{Now: func() time.Time {
		// TensorFlow looks at the clock once in a save; we do so twice, when
		// it begins and when it is done.
		looks++
		ticks := float64((looks + 1) / 2)
		return time.Unix(0, int64((g.ClockStart+ticks*g.ClockTick)*1e9))
	}})
	if g.Call == graphs.Write {
		if err := c.Write(background(), dir, "ckpt"); err != nil {
			t.Fatal(err)
		}
		return
	}
	next := func() (string, error) { return c.Save(background(), dir, "ckpt") }
	if g.Call == graphs.Manager {
		m := newManager(t, c, dir, managerOptions(g))
		next = func() (string, error) { return m.Save(background(), nil) }
	}
	for i := range g.Saves {
		if _, err := next(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			continue
		}
		for _, late := range b.Late() {
			c.Track(late.Name, late.Object)
		}
	}
}

func managerOptions(g *graphs.Graph) *ManagerOptions {
	o := &ManagerOptions{KeepCheckpointEvery: time.Duration(math.Round(g.KeepEveryHours * float64(time.Hour)))}
	if g.MaxToKeep != nil {
		o.MaxToKeep = *g.MaxToKeep
	}
	return o
}

// compareFiles compares dir, receipts left out, with a directory of golden
// files. Of the checkpoints there may be fewer golden ones than there are.
func compareFiles(t *testing.T, dir storage.Dir, golden string) {
	t.Helper()
	entries, err := os.ReadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want, err := os.ReadFile(filepath.Join(golden, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, dir, e.Name()); got != string(want) {
			t.Errorf("%s differs from TensorFlow's:\n got %q\nwant %q", e.Name(), got, want)
		}
	}
}

// TestManagersDirectoryHasTensorFlowsFiles wants no file more and none less.
func TestManagersDirectoryHasTensorFlowsFiles(t *testing.T) {
	for _, name := range []string{"managed", "preserved"} {
		g, err := graphs.Read("../trackable/testdata/tf/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		dir := mem.Dir()
		saveGraph(t, g, dir)
		var want []string
		entries, err := os.ReadDir("testdata/tf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			want = append(want, e.Name())
		}
		got := slices.DeleteFunc(listing(t, dir), func(n string) bool { return strings.HasSuffix(n, ".receipt.json") })
		wantPaths(t, name, got, want...)
	}
}

// stateCase is what TensorFlow makes of a state file.
type stateCase struct {
	Name, Result string
	Written      bool
	Latest       string   `json:"model_checkpoint_path"`
	All          []string `json:"all_model_checkpoint_paths"`
	Times        []string `json:"all_model_checkpoint_timestamps"`
	Preserved    string   `json:"last_preserved_timestamp"`
}

func stateCases(t testing.TB) []stateCase {
	t.Helper()
	text, err := os.ReadFile("testdata/tf/states.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ States []stateCase }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.States
}

// stricter are the state files that TensorFlow takes and we call broken: times
// that are not numbers, and a field that stands twice.
var stricter = []string{"infinite_times", "twice"}

func TestStateFilesReadAsTensorFlowReadsThem(t *testing.T) {
	cases := stateCases(t)
	if len(cases) < 30 {
		t.Fatalf("%d state files, want at least 30", len(cases))
	}
	for _, test := range cases {
		dir := mem.Dir()
		text, err := os.ReadFile("testdata/tf/states/" + test.Name)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir, filename.State, string(text))
		s, err := ReadState(background(), dir)
		ok := test.Result == "state" && !slices.Contains(stricter, test.Name)
		if (err == nil) != ok {
			t.Errorf("%s: ReadState() = %v, TensorFlow: %s", test.Name, err, test.Result)
			continue
		}
		if !ok {
			continue
		}
		if s.ModelCheckpointPath != test.Latest {
			t.Errorf("%s: latest = %q, want %q", test.Name, s.ModelCheckpointPath, test.Latest)
		}
		wantPaths(t, test.Name, s.AllModelCheckpointPaths, test.All...)
		compareTimes(t, test, s)
	}
}

func compareTimes(t *testing.T, test stateCase, s State) {
	t.Helper()
	if len(s.AllModelCheckpointTimestamps) != len(test.Times) {
		t.Errorf("%s: %d times, want %d", test.Name, len(s.AllModelCheckpointTimestamps), len(test.Times))
		return
	}
	for i, text := range test.Times {
		want, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		got := seconds(s.AllModelCheckpointTimestamps[i])
		// A time.Time has nanoseconds and no times beyond some 30,000 years.
		if want = min(want, maxSeconds); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: time %d = %v, want %v", test.Name, i, got, want)
		}
	}
}

func TestStateFilesOfTensorFlowAreRewrittenAsTheyWere(t *testing.T) {
	for _, test := range stateCases(t) {
		if !test.Written || test.Name == "infinite_times" || test.Name == "floats" {
			continue // beyond what time.Time can hold
		}
		dir := mem.Dir()
		want, err := os.ReadFile("testdata/tf/states/" + test.Name)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir, filename.State, string(want))
		if err := WriteState(background(), dir, readState(t, dir)); err != nil {
			t.Errorf("%s: WriteState() = %v", test.Name, err)
		}
		if got := readFile(t, dir, filename.State); got != string(want) {
			t.Errorf("%s: rewritten as\n%swant\n%s", test.Name, got, want)
		}
	}
}
