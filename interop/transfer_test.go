//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/ckpt-dev/ckpt/transfer"
)

// fresh is what a variable holds that nothing was restored into; transfer.py
// has it too.
const fresh = -1

// namedValue is a tensor of a checkpoint, or a variable here.
type namedValue struct {
	Name      string    `json:"name"`
	Shape     []int64   `json:"shape"`
	Values    []float32 `json:"values,omitempty"`
	Trainable bool      `json:"trainable"`
}

// transferNames are names whose scopes begin alike, and lie in each other.
func transferNames() []string {
	var names []string
	for _, scope := range []string{"", "a/", "ab/", "a/c/", "b/"} {
		for _, name := range []string{"w", "b", "a"} {
			names = append(names, scope+name)
		}
	}
	return names
}

var shapesByName = map[string][]int64{"w": {2}, "b": {3}, "a": {2, 2}}

// someOf picks names; a variable's shape is that of its last name, as a rule.
func someOf(r *rand.Rand, values bool) []namedValue {
	var list []namedValue
	for _, name := range transferNames() {
		if r.IntN(3) == 0 || strings.HasSuffix(name, "a") && slices.ContainsFunc(transferNames(), func(n string) bool { return strings.HasPrefix(n, name+"/") }) {
			continue // a variable that is a scope too gets another name in TensorFlow
		}
		v := namedValue{Name: name, Shape: shapesByName[name[strings.LastIndex(name, "/")+1:]], Trainable: r.IntN(4) > 0}
		if r.IntN(40) == 0 {
			v.Shape = []int64{5} // as many elements as no other has
		}
		if values {
			for range elements(v.Shape) {
				v.Values = append(v.Values, float32(r.IntN(1000)))
			}
		}
		list = append(list, v)
	}
	return list
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// live makes the variables that TensorFlow makes.
func live(list []namedValue) (root *trackable.Node, vars []*trackable.Variable[float32]) {
	root = new(trackable.Node)
	for i, v := range list {
		value := make([]float32, elements(v.Shape))
		for j := range value {
			value[j] = fresh
		}
		x := trackable.NewVariable(v.Name, v.Shape, value)
		vars = append(vars, x)
		root.Track(fmt.Sprint("child", i), x)
	}
	return root, vars
}

// writeTransfer has TensorFlow write a checkpoint, and opens it.
func writeTransfer(t *testing.T, tensors []namedValue, byObject bool) (prefix string, src *checkpoint.Reader) {
	t.Helper()
	dir := t.TempDir()
	prefix = filepath.Join(dir, "pretrained")
	must[string](t, "transfer_write", map[string]any{"prefix": prefix, "tensors": tensors, "by_object": byObject})
	src, err := checkpoint.Load(context.Background(), local.Dir(dir), "pretrained")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return prefix, src
}

// wantSame compares what became of the variables on both sides.
func wantSame(t *testing.T, what string, vars []*trackable.Variable[float32], ours error, want [][]float32, theirs error) {
	t.Helper()
	if errors.Is(ours, trackable.ErrNotMatched) && theirs == nil && reshaped(vars, want) {
		return // a row of DECISIONS.md
	}
	if (ours == nil) != (theirs == nil) {
		t.Fatalf("%s: ours gave %v\nTensorFlow %v", what, ours, theirs)
	}
	for i, v := range vars {
		expected := slices.Repeat([]float32{fresh}, len(v.Value)) // nothing changes where there is an error
		if ours == nil {
			expected = want[i]
		}
		if !slices.Equal(v.Value, expected) {
			t.Fatalf("%s: %s = %v, want %v (error %v)", what, v.Name, v.Value, expected, ours)
		}
	}
}

// reshaped reports whether TensorFlow gave a variable another shape than it
// has, which it does where scopes are assigned.
func reshaped(vars []*trackable.Variable[float32], got [][]float32) bool {
	for i, v := range vars {
		if len(got[i]) != len(v.Value) {
			return true
		}
	}
	return false
}

// pairs is a random assignment map: mostly what is there, now and then not.
// Scopes here have variables, since without any TensorFlow does nothing and we
// say so.
func pairs(r *rand.Rand, stored, vars []namedValue) [][2]string {
	var list [][2]string
	for range 1 + r.IntN(4) {
		if r.IntN(2) == 0 {
			to := vars[r.IntN(len(vars))].Name
			from := stored[r.IntN(len(stored))].Name
			same := slices.DeleteFunc(slices.Clone(stored), func(v namedValue) bool {
				return v.Name[strings.LastIndex(v.Name, "/")+1:] != to[strings.LastIndex(to, "/")+1:]
			})
			if len(same) > 0 && r.IntN(10) > 0 {
				from = same[r.IntN(len(same))].Name
			}
			if r.IntN(15) == 0 {
				from += "x"
			}
			list = append(list, [2]string{from, to})
			continue
		}
		to := vars[r.IntN(len(vars))].Name
		to = to[:strings.LastIndex(to, "/")+1]
		if to == "" {
			to = "/"
		}
		from := []string{"/", "a/", "ab/", "a/c/", "b/"}[r.IntN(5)]
		if r.IntN(20) == 0 {
			from = "a"
		}
		list = append(list, [2]string{from, to})
	}
	return list
}

// TestInitFromCheckpointDoesWhatTensorFlowDoes: on random checkpoints, models
// and assignment maps.
func TestInitFromCheckpointDoesWhatTensorFlowDoes(t *testing.T) {
	r := random(t)
	done, failed := 0, 0
	for i := range 40 {
		stored, vars := someOf(r, true), someOf(r, false)
		if i%3 > 0 { // so that scopes find all they need
			stored = complete(r)
		}
		if len(stored) == 0 || len(vars) == 0 {
			continue
		}
		m := pairs(r, stored, vars)
		prefix, src := writeTransfer(t, stored, false)
		want, theirs := ask[[][]float32](t, "init_from_checkpoint", map[string]any{"prefix": prefix, "variables": vars, "pairs": m})
		root, made := live(vars)
		var list transfer.AssignmentMap
		for _, p := range m {
			list = append(list, transfer.Assignment{From: p[0], To: p[1]})
		}
		_, ours := transfer.InitFromCheckpoint(root, src, list, nil)
		wantSame(t, fmt.Sprintf("case %d: map %q, stored %v, variables %v", i, m, stored, vars), made, ours, want, theirs)
		if done++; ours != nil {
			failed++
		}
	}
	t.Logf("%d maps, of which %d are errors", done, failed)
	if failed == 0 || failed == done {
		t.Errorf("%d of %d maps are errors: the test shows little", failed, done)
	}
}

// complete is a checkpoint with every name.
func complete(r *rand.Rand) []namedValue {
	var list []namedValue
	for _, name := range transferNames() {
		v := namedValue{Name: name, Shape: shapesByName[name[strings.LastIndex(name, "/")+1:]]}
		for range elements(v.Shape) {
			v.Values = append(v.Values, float32(r.IntN(1000)))
		}
		list = append(list, v)
	}
	return list
}

// TestWarmStartDoesWhatTensorFlowDoes: patterns, previous names, and
// checkpoints of both kinds.
func TestWarmStartDoesWhatTensorFlowDoes(t *testing.T) {
	r := random(t)
	done, failed := 0, 0
	for i := range 30 {
		stored, vars, byObject := complete(r), someOf(r, false), i%2 == 1
		if r.IntN(3) == 0 {
			stored = someOf(r, true)
		}
		if len(stored) == 0 || len(vars) == 0 {
			continue
		}
		patterns := [][]string{{"a"}, {"a/"}, {".*w"}, {"b|ab/"}, {"a/c", "b/"}, {".*/b", "w"}}[r.IntN(6)]
		previous := make(map[string]string)
		for range r.IntN(3) {
			to := vars[r.IntN(len(vars))].Name
			if from := stored[r.IntN(len(stored))].Name; !byObject { // there TensorFlow wants keys
				previous[to] = from
			}
		}
		prefix, src := writeTransfer(t, stored, byObject)
		args := map[string]any{"prefix": prefix, "variables": vars, "patterns": patterns, "previous": previous}
		want, theirs := ask[[][]float32](t, "warm_start", args)
		root, made := live(vars)
		_, ours := transfer.WarmStart(root, src, &transfer.WarmStartOptions{VarsToWarmStart: patterns, VarNameToPrevVarName: previous})
		wantSame(t, fmt.Sprintf("case %d: %v, stored %v", i, args, stored), made, ours, want, theirs)
		if done++; ours != nil {
			failed++
		}
	}
	t.Logf("%d warm starts, of which %d are errors", done, failed)
	if failed == 0 || failed == done {
		t.Errorf("%d of %d are errors: the test shows little", failed, done)
	}
}

// vocabulary is a VocabInfo for both sides.
type vocabulary struct {
	New     []string `json:"new"`
	NewSize int      `json:"new_size"`
	Old     []string `json:"old"`
	OldSize int      `json:"old_size"`
	OOV     int      `json:"oov"`
	Backup  float32  `json:"backup"`
	Axis    int      `json:"axis"`
}

func randomVocabulary(r *rand.Rand) vocabulary {
	alphabet := strings.Split("abcdefghij", "")
	shuffled := func() []string {
		r.Shuffle(len(alphabet), func(i, j int) { alphabet[i], alphabet[j] = alphabet[j], alphabet[i] })
		return slices.Clone(alphabet[:1+r.IntN(len(alphabet))])
	}
	v := vocabulary{New: shuffled(), Old: shuffled(), OOV: r.IntN(3), Axis: r.IntN(2)}
	if r.IntN(2) == 0 {
		v.NewSize = 1 + r.IntN(len(v.New))
	}
	if r.IntN(2) == 0 && v.Axis == 0 { // TensorFlow ignores it for columns
		v.OldSize = 1 + r.IntN(len(v.Old))
	}
	if r.IntN(2) == 0 {
		v.Backup = 7
	}
	return v
}

func (v vocabulary) info() transfer.VocabInfo {
	info := transfer.VocabInfo{NewVocab: v.New, NewVocabSize: v.NewSize, OldVocab: v.Old, OldVocabSize: v.OldSize, NumOOVBuckets: v.OOV, Axis: v.Axis}
	if v.Backup != 0 {
		info.BackupInitializer = func(shape tensor.Shape) (tensor.Tensor, error) {
			counting := make([]float32, elements(shape)) // from Backup, as transfer.py's
			for i := range counting {
				counting[i] = v.Backup + float32(i)
			}
			return tensor.New(shape, counting)
		}
	}
	return info
}

// TestVocabulariesAreRemappedAsTensorFlowDoes: matrices whose rows or columns
// go by words.
func TestVocabulariesAreRemappedAsTensorFlowDoes(t *testing.T) {
	r := random(t)
	for i := range 30 {
		v := randomVocabulary(r)
		words := len(v.New)
		if v.NewSize > 0 {
			words = v.NewSize
		}
		stored, here := []int64{3, 3}, []int64{3, 3}
		stored[v.Axis], here[v.Axis] = int64(len(v.Old)), int64(words+v.OOV)
		tensors := []namedValue{{Name: "old/emb", Shape: stored}}
		for j := range elements(stored) {
			tensors[0].Values = append(tensors[0].Values, float32(j+1))
		}
		vars := []namedValue{{Name: "new/emb", Shape: here, Trainable: true}}
		prefix, src := writeTransfer(t, tensors, false)
		previous := map[string]string{"new/emb": "old/emb"}
		want, theirs := ask[[][]float32](t, "warm_start", map[string]any{"prefix": prefix, "variables": vars, "previous": previous,
			"vocabularies": map[string]vocabulary{"new/emb": v}})
		root, made := live(vars)
		_, ours := transfer.WarmStart(root, src, &transfer.WarmStartOptions{VarNameToPrevVarName: previous,
			VarNameToVocabInfo: map[string]transfer.VocabInfo{"new/emb": v.info()}})
		wantSame(t, fmt.Sprintf("case %d: %+v", i, v), made, ours, want, theirs)
	}
}

// TestWarmStartRefusesNamesThatNothingTakes, as TensorFlow does.
func TestWarmStartRefusesNamesThatNothingTakes(t *testing.T) {
	stored := []namedValue{{Name: "w", Shape: []int64{2}, Values: []float32{1, 2}}}
	prefix, src := writeTransfer(t, stored, false)
	vars := []namedValue{{Name: "w", Shape: []int64{2}, Trainable: true}}
	previous := map[string]string{"x": "w"}
	_, theirs := ask[[][]float32](t, "warm_start", map[string]any{"prefix": prefix, "variables": vars, "previous": previous})
	root, made := live(vars)
	_, ours := transfer.WarmStart(root, src, &transfer.WarmStartOptions{VarNameToPrevVarName: previous})
	if theirs == nil {
		t.Error("TensorFlow takes a name that no variable has")
	}
	wantSame(t, "a name too many", made, ours, nil, theirs)
}
