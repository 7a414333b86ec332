package tfproto_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"pgregory.net/rapid"
)

const managed = `model_checkpoint_path: "ckpt-6"
all_model_checkpoint_paths: "ckpt-5"
all_model_checkpoint_paths: "ckpt-6"
all_model_checkpoint_timestamps: 1610001489.3050854
all_model_checkpoint_timestamps: 1610001531.2664149
last_preserved_timestamp: 1609999697.1211636
`

func TestAStateFileIsReadAndWrittenAsTensorFlowDoes(t *testing.T) {
	want := tfproto.CheckpointState{
		ModelCheckpointPath:          "ckpt-6",
		AllModelCheckpointPaths:      []string{"ckpt-5", "ckpt-6"},
		AllModelCheckpointTimestamps: []float64{1610001489.3050854, 1610001531.2664149},
		LastPreservedTimestamp:       1609999697.1211636,
	}
	got, err := tfproto.ParseCheckpointState([]byte(managed))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseCheckpointState() = %+v, %v, want %+v", got, err, want)
	}
	checkText(t, want, managed)
}

func checkText(t *testing.T, s tfproto.CheckpointState, want string) {
	t.Helper()
	if got, err := s.MarshalText(); err != nil || string(got) != want {
		t.Errorf("MarshalText() = %q, %v, want %q", got, err, want)
	}
}

// Both texts come from Python's text_format.
func TestStringsAndFloatsAreWrittenAsPythonDoes(t *testing.T) {
	checkText(t, tfproto.CheckpointState{
		ModelCheckpointPath:     "a\"'\\\n\r\t\x00\x01\x7f é\u0080\u2028日 😀",
		AllModelCheckpointPaths: []string{""},
	}, `model_checkpoint_path: "a\"\'\\\n\r\t\000\001\177 é`+"\u0080\u2028"+`日 😀"`+"\nall_model_checkpoint_paths: \"\"\n")

	negative := math.Copysign(0, -1)
	floats := map[string]float64{
		"0.0": 0, "-0.0": negative, "1e+16": 1e16, "1000000000000000.0": 1e15, "1.2345678901234568e+17": 123456789012345678,
		"0.0001": 1e-4, "1e-05": 1e-5, "1.5e+300": 1.5e300, "inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(),
		"5e-324": 5e-324, "1610001489.3050854": 1610001489.3050854, "9999999999999998.0": 9999999999999998,
	}
	for want, f := range floats {
		checkText(t, tfproto.CheckpointState{AllModelCheckpointTimestamps: []float64{f}}, "all_model_checkpoint_timestamps: "+want+"\n")
	}
	checkText(t, tfproto.CheckpointState{}, "")
	checkText(t, tfproto.CheckpointState{LastPreservedTimestamp: negative}, "last_preserved_timestamp: -0.0\n")
}

func TestTextThatTensorFlowAcceptsIsAccepted(t *testing.T) {
	for text, want := range map[string]tfproto.CheckpointState{
		"": {},
		"model_checkpoint_path: 'a' \"b\" # comment\n":   {ModelCheckpointPath: "ab"},
		"all_model_checkpoint_timestamps: [1, 2.5, inf]": {AllModelCheckpointTimestamps: []float64{1, 2.5, math.Inf(1)}},
		`model_checkpoint_path:"\346\227\245 \x41"`:      {ModelCheckpointPath: "日 A"},
		"last_preserved_timestamp: 1e3f":                 {LastPreservedTimestamp: 1000},
	} {
		if got, err := tfproto.ParseCheckpointState([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseCheckpointState(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// A single field that stands twice TensorFlow takes, and we do not.
func TestTextThatTensorFlowRefusesIsRefused(t *testing.T) {
	for _, text := range []string{
		"foo: 1", `model_checkpoint_path: "a" model_checkpoint_path: "b"`, `model_checkpoint_path: "a`,
		`model_checkpoint_path: "\377"`, "model_checkpoint_path <x: 1>", "\x00\x00\x00", managed[:20],
	} {
		got, err := tfproto.ParseCheckpointState([]byte(text))
		if err == nil {
			t.Errorf("ParseCheckpointState(%q) = %+v, want an error", text, got)
		} else if !strings.HasPrefix(err.Error(), "checkpoint state: ") || strings.Contains(err.Error(), "\u00a0") {
			t.Errorf("ParseCheckpointState(%q): error %q", text, err)
		}
	}
}

func TestEveryStateComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := tfproto.CheckpointState{
			ModelCheckpointPath:    rapid.String().Draw(t, "path"),
			LastPreservedTimestamp: rapid.Float64().Draw(t, "preserved"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			want.AllModelCheckpointPaths = append(want.AllModelCheckpointPaths, rapid.String().Draw(t, "path"))
			want.AllModelCheckpointTimestamps = append(want.AllModelCheckpointTimestamps, rapid.Float64().Draw(t, "time"))
		}
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tfproto.ParseCheckpointState(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("ParseCheckpointState(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	})
}

func FuzzCheckpointState(f *testing.F) {
	f.Add(managed)
	for _, s := range goldenStates(f) {
		f.Add(string(read(f, states+"states/"+s.Name)))
	}
	f.Add("model_checkpoint_path: 'a\\'' all_model_checkpoint_timestamps: [1, 2.5e3, -inf]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := tfproto.ParseCheckpointState([]byte(text))
		if err != nil {
			return
		}
		out, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		again, err := tfproto.ParseCheckpointState(out)
		if err != nil {
			t.Fatalf("own text %q: %v", out, err)
		}
		if twice, err := again.MarshalText(); err != nil || string(twice) != string(out) {
			t.Errorf("%q is written again as %q, %v", out, twice, err)
		}
	})
}
