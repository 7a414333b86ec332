package tfproto_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

// The files of TensorFlow's that other packages keep (interop/golden).
const (
	bundles = "../../format/tensorbundle/testdata/tf/"
	states  = "../../checkpoint/testdata/tf/"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// graphs returns the object graphs of the golden bundles.
func graphs(t testing.TB) (all [][]byte) {
	t.Helper()
	files, err := filepath.Glob(bundles + "*.index")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		index := read(t, f)
		r, err := tensorbundle.NewReader(bytes.NewReader(index), int64(len(index)), func(shard, shards int) (io.ReaderAt, int64, error) {
			data := read(t, tensorbundle.DataName(f[:len(f)-len(".index")], shard, shards))
			return bytes.NewReader(data), int64(len(data)), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
		if err != nil {
			continue // a bundle without objects
		}
		elems, err := x.Strings()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, []byte(elems[0]))
	}
	if len(all) < 5 {
		t.Fatalf("only %d object graphs in %s", len(all), bundles)
	}
	return all
}

func TestGraphsOfTensorFlowsAreRewrittenByteForByte(t *testing.T) {
	for _, want := range graphs(t) {
		var g tfproto.TrackableObjectGraph
		if err := g.Unmarshal(want); err != nil {
			t.Fatal(err)
		}
		if got := g.Marshal(); !bytes.Equal(got, want) {
			t.Errorf("rewritten:\n%q\nwant:\n%q", got, want)
		}
	}
}

// state is a state file as TensorFlow read it.
type state struct {
	Name    string   `json:"name"`
	Written bool     `json:"written"` // by TensorFlow
	Latest  string   `json:"model_checkpoint_path"`
	Paths   []string `json:"all_model_checkpoint_paths"`
	Times   []string `json:"all_model_checkpoint_timestamps"`
	Last    string   `json:"last_preserved_timestamp"`
}

func goldenStates(t testing.TB) []state {
	t.Helper()
	var d struct {
		States []state `json:"states"`
	}
	if err := json.Unmarshal(read(t, states+"states.json"), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.States) < 10 {
		t.Fatalf("only %d state files in %s", len(d.States), states)
	}
	return d.States
}

func TestStatesAreReadAsTensorFlowReadThem(t *testing.T) {
	for _, want := range goldenStates(t) {
		text := read(t, states+"states/"+want.Name)
		s, err := tfproto.ParseCheckpointState(text)
		// TensorFlow could not parse it, or took the last of two values where
		// there should be one.
		if want.Last == "" || want.Name == "twice" {
			if err == nil && s.ModelCheckpointPath != "" {
				t.Errorf("%s: ParseCheckpointState = %+v, want an error", want.Name, s)
			}
			continue
		}
		if err != nil || s.ModelCheckpointPath != want.Latest || !slices.Equal(s.AllModelCheckpointPaths, nilIfEmpty(want.Paths)) ||
			!sameTimes(t, append(s.AllModelCheckpointTimestamps, s.LastPreservedTimestamp), append(want.Times, want.Last)) {
			t.Errorf("%s: ParseCheckpointState = %+v, %v, want %+v", want.Name, s, err, want)
		}
		if got, err := s.MarshalText(); want.Written && (err != nil || !bytes.Equal(got, text)) {
			t.Errorf("%s: MarshalText = %q, %v, want %q", want.Name, got, err, text)
		}
	}
}

func nilIfEmpty(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func sameTimes(t *testing.T, got []float64, want []string) bool {
	t.Helper()
	return slices.EqualFunc(got, want, func(f float64, s string) bool {
		w, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f == w || f != f && w != w
	})
}
