package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestMissingStateFileIsNotExist(t *testing.T) {
	if _, err := ReadState(background(), mem.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadState() = %v, want fs.ErrNotExist", err)
	}
}

func TestVerifyStateFindsWhatIsWrong(t *testing.T) {
	for text, want := range map[string]error{
		`model_checkpoint_path: "ckpt-1"`:            nil,
		`model_checkpoint_path: "/elsewhere/ckpt-1"`: nil,
		`model_checkpoint_path: "ckpt-9"`:            fs.ErrNotExist,
		`model_checkpoint_path: "../ckpt-1"`:         fs.ErrNotExist,
		`garbage`:                                    format.ErrCorrupt,
		`model_checkpoint_path: "ckpt-1"` + "\nlast_preserved_timestamp: nan\n": format.ErrCorrupt,
	} {
		dir := saved(t)
		writeFile(t, dir, filename.State, text)
		if err := VerifyState(background(), dir); !errors.Is(err, want) {
			t.Errorf("VerifyState(%q) = %v, want %v", text, err, want)
		}
	}
	if err := VerifyState(background(), mem.Dir()); err != nil {
		t.Errorf("VerifyState() without a state file = %v", err)
	}
}

func TestScenario040To045PathsInAStateFile(t *testing.T) {
	for _, test := range []struct {
		in   State
		want []string // all paths in the file
	}{
		{State{ModelCheckpointPath: "/abs/model-0"}, []string{"/abs/model-0"}},
		{State{ModelCheckpointPath: "model-0"}, []string{"model-0"}},
		{State{ModelCheckpointPath: "m-3", AllModelCheckpointPaths: []string{}}, []string{"m-3"}},
		{State{ModelCheckpointPath: "m-3", AllModelCheckpointPaths: []string{"m-2"}}, []string{"m-2", "m-3"}},
		{State{ModelCheckpointPath: "m-3", AllModelCheckpointPaths: []string{"/abs/m-2", "m-3"}}, []string{"/abs/m-2", "m-3"}},
		{State{ModelCheckpointPath: "./model.ckpt-687529"}, []string{"./model.ckpt-687529"}},
	} {
		dir := mem.Dir()
		if err := WriteState(background(), dir, test.in); err != nil {
			t.Errorf("WriteState(%+v) = %v", test.in, err)
			continue
		}
		got := readState(t, dir)
		if got.ModelCheckpointPath != test.in.ModelCheckpointPath {
			t.Errorf("latest = %q, want %q", got.ModelCheckpointPath, test.in.ModelCheckpointPath)
		}
		wantPaths(t, "all paths", got.AllModelCheckpointPaths, test.want...)
	}
}

func TestScenario048And049StateErrors(t *testing.T) {
	for want, s := range map[string]State{
		"2 timestamps for 1 paths": {ModelCheckpointPath: "a", AllModelCheckpointTimestamps: make([]time.Time, 2)},
		"1 timestamps for 2 paths": {ModelCheckpointPath: "b", AllModelCheckpointPaths: []string{"a"}, AllModelCheckpointTimestamps: make([]time.Time, 1)},
		"name of the state file":   {ModelCheckpointPath: "./checkpoint"},
		"no newest path":           {},
	} {
		dir := mem.Dir()
		if err := WriteState(background(), dir, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("WriteState(%+v) = %v, want %q", s, err, want)
		}
		wantPaths(t, "files", listing(t, dir))
	}
}

func TestWriteStateDoesNotChangeTheCallersList(t *testing.T) {
	paths := make([]string, 1, 2)
	paths[0] = "a"
	if err := WriteState(background(), mem.Dir(), State{ModelCheckpointPath: "b", AllModelCheckpointPaths: paths}); err != nil {
		t.Fatal(err)
	}
	if got := paths[:2][1]; got != "" {
		t.Errorf("the caller's array got %q", got)
	}
}

func TestTimesSurviveTheStateFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// A double near today's seconds has no more than 22 bits for the rest.
		ticks := rapid.Int64Range(1e9<<20, 4e9<<20).Draw(t, "ticks")
		want := float64(ticks) / (1 << 20)
		back, err := fromSeconds(want)
		if err != nil || seconds(back) != want {
			t.Fatalf("%v came back as %v, %v", want, seconds(back), err)
		}
	})
}

func FuzzState(f *testing.F) {
	entries, err := os.ReadDir("testdata/tf/states")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile("testdata/tf/states/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseState(text)
		if err != nil {
			return
		}
		for _, p := range append(s.AllModelCheckpointPaths, s.ModelCheckpointPath) {
			if local, _, ok := filename.Local(p); ok && !fs.ValidPath(local) {
				t.Fatalf("filename.Local(%q) = %q", p, local)
			}
		}
		l := ledger.Ledger{Name: "ckpt"}
		l.TakeOver(ledger.State(s), time.Unix(2e9, 0), func(string) bool { return true })
		once, err := s.text()
		if err != nil {
			return
		}
		again, err := parseState(once)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, once)
		}
		if twice, err := again.text(); err != nil || string(twice) != string(once) {
			t.Fatalf("rewritten as\n%s%v, was\n%s", twice, err, once)
		}
	})
}
