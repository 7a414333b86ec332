package transfer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/ckpt-dev/ckpt/transfer"
)

func warm(t *testing.T, root trackable.Object, src format.Source, o *transfer.WarmStartOptions) *transfer.Report {
	t.Helper()
	report, err := transfer.WarmStart(root, src, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestAWarmStartOfAll(t *testing.T) {
	w, b := v("old/w", 0, 0), v("old/deep/b", 0)
	report := warm(t, flat(w, b), names(), nil)
	wantValue(t, w, 1, 2)
	wantValue(t, b, 3)
	if len(report.Matched) != 2 || len(report.Untouched) != 0 {
		t.Errorf("report = %+v, want both", report)
	}
	_, err := transfer.WarmStart(flat(w, v("gone", 0)), names(), nil)
	wantError(t, "WarmStart", err, format.ErrNoTensor, `warm start: variable "gone": gone: `)
}

func TestPatternsSelectByTheBeginningOfNames(t *testing.T) {
	for _, c := range []struct {
		patterns []string
		want     []string
	}{
		{[]string{"old"}, []string{"old/deep/b", "old/w", "older/w"}},
		{[]string{"old/"}, []string{"old/deep/b", "old/w"}},
		{[]string{".*w"}, []string{"old/w", "older/w", "w"}},
		{[]string{"w", "old/deep|older"}, []string{"old/deep/b", "older/w", "w"}},
		{[]string{"x|w"}, []string{"w"}},
		{[]string{"b"}, nil},
		{[]string{}, nil},
	} {
		report := warm(t, flat(v("w", 0, 0), v("old/w", 0, 0), v("old/deep/b", 0), v("older/w", 0, 0)), names(), &transfer.WarmStartOptions{VarsToWarmStart: c.patterns})
		var got []string
		for _, m := range report.Matched {
			got = append(got, m.Variable)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("patterns %q start %q, want %q", c.patterns, got, c.want)
		}
	}
	_, err := transfer.WarmStart(flat(), names(), &transfer.WarmStartOptions{VarsToWarmStart: []string{"("}})
	wantError(t, "WarmStart", err, nil, "VarsToWarmStart: error parsing regexp")
}

func TestSlotsStartOnlyIfTheyAreNamed(t *testing.T) {
	model, _, vars := trained(0)
	vars["slot of w"].Name, vars["slot of head"].Name = "opt/enc/w/m", "opt/head/w/m"
	src := stored(map[string][]float32{"enc/w": {11}, "shared": {12}, "head/w": {13}, "opt/enc/w/m": {14}, "opt/head/w/m": {15}})
	warm(t, model, src, nil)
	wantValue(t, vars["w"], 11)
	wantValue(t, vars["slot of w"], 4)
	warm(t, model, src, &transfer.WarmStartOptions{VarsToWarmStart: []string{"opt/enc"}})
	wantValue(t, vars["slot of w"], 14)
	wantValue(t, vars["slot of head"], 5)
}

func TestPreviousNamesAndTypingErrors(t *testing.T) {
	a, b := v("a", 0, 0), v("b", 0, 0)
	o := &transfer.WarmStartOptions{VarNameToPrevVarName: map[string]string{"a": "older/w", "b": "older/w"}}
	warm(t, flat(a, b), names(), o)
	wantValue(t, a, 4, 5)
	wantValue(t, b, 4, 5)
	o.VarNameToPrevVarName["c"] = "w"
	o.VarNameToVocabInfo = map[string]transfer.VocabInfo{"d": {}}
	a.Value[0] = -1
	_, err := transfer.WarmStart(flat(a, b), names(), o)
	wantError(t, "WarmStart", err, nil, `VarNameToPrevVarName names "c", which`, `VarNameToVocabInfo names "d", which`)
	wantValue(t, a, -1, 5)
}

func TestAWarmStartFromAnObjectBasedCheckpoint(t *testing.T) {
	src := saved(t, tree("x", v("w", 1, 2), "y", tree("z", v("b", 3))))
	w, b := v("w", 0, 0), v("other", 0)
	warm(t, flat(w, b), src, &transfer.WarmStartOptions{VarNameToPrevVarName: map[string]string{"other": "b"}})
	wantValue(t, w, 1, 2)
	wantValue(t, b, 3)
}

// matrix is a checkpoint of a 4 × 2 matrix for the words a b c d.
func matrix() *memory {
	src := newMemory()
	src.set("emb", array(tensor.Shape{4, 2}, 1, 2, 3, 4, 5, 6, 7, 8))
	return src
}

func words(s string) []string { return strings.Fields(s) }

// naturals is the initializer that gives 101, 102 and so on.
func naturals() func(tensor.Shape) (tensor.Tensor, error) {
	next := float32(100)
	return func(shape tensor.Shape) (tensor.Tensor, error) {
		n, err := shape.NumElements()
		if err != nil {
			return tensor.Tensor{}, err
		}
		elems := make([]float32, n)
		for i := range elems {
			next++
			elems[i] = next
		}
		return tensor.New(shape, elems)
	}
}

func TestRowsFollowTheirWords(t *testing.T) {
	for name, c := range map[string]struct {
		info transfer.VocabInfo
		want []float32
	}{
		"another order":      {transfer.VocabInfo{NewVocab: words("d a"), OldVocab: words("a b c d")}, []float32{7, 8, 1, 2}},
		"new words are zero": {transfer.VocabInfo{NewVocab: words("x b y"), OldVocab: words("a b c d")}, []float32{0, 0, 3, 4, 0, 0}},
		"OOV rows": {transfer.VocabInfo{NewVocab: words("c x"), OldVocab: words("a b c d"), NumOOVBuckets: 2, BackupInitializer: naturals()},
			[]float32{5, 6, 101, 102, 103, 104, 105, 106}},
		"the first of the new": {transfer.VocabInfo{NewVocab: words("b a d"), NewVocabSize: 2, OldVocab: words("a b c d")}, []float32{3, 4, 1, 2}},
		"the first of the old": {transfer.VocabInfo{NewVocab: words("b d"), OldVocab: words("a b c d"), OldVocabSize: 3}, []float32{3, 4, 0, 0}},
		"old OOV rows":         {transfer.VocabInfo{NewVocab: words("b"), OldVocab: words("a b")}, []float32{3, 4}},
		"a word twice":         {transfer.VocabInfo{NewVocab: words("b b"), OldVocab: words("a b c d")}, []float32{3, 4, 3, 4}},
	} {
		emb := v("emb", make([]float32, len(c.want))...)
		emb.Shape = tensor.Shape{int64(len(c.want) / 2), 2}
		report := warm(t, flat(emb), matrix(), &transfer.WarmStartOptions{VarNameToVocabInfo: map[string]transfer.VocabInfo{"emb": c.info}})
		if !slices.Equal(emb.Value, c.want) || !report.Matched[0].Vocab || len(report.Unused) != 0 {
			t.Errorf("%s: %v, report %+v, want %v", name, emb.Value, report, c.want)
		}
	}
}

func TestColumnsFollowTheirWords(t *testing.T) {
	src := newMemory()
	src.set("out", array(tensor.Shape{2, 3}, 1, 2, 3, 4, 5, 6))
	out := trackable.NewVariable("out", tensor.Shape{2, 4}, make([]float32, 8))
	info := transfer.VocabInfo{NewVocab: words("c x a"), OldVocab: words("a b c"), NumOOVBuckets: 1, Axis: 1}
	var shapes []string
	next := naturals()
	info.BackupInitializer = func(shape tensor.Shape) (tensor.Tensor, error) {
		shapes = append(shapes, shape.String())
		return next(shape)
	}
	warm(t, flat(out), src, &transfer.WarmStartOptions{VarNameToVocabInfo: map[string]transfer.VocabInfo{"out": info}})
	wantValue(t, out, 3, 101, 1, 103, 6, 102, 4, 104)
	if want := []string{"[2,1]", "[2,1]"}; !slices.Equal(shapes, want) {
		t.Errorf("the initializer was asked for %v, want %v", shapes, want)
	}
}

func TestABiasHasAVocabularyToo(t *testing.T) { // TensorFlow wants a matrix
	src := newMemory()
	bias, _ := tensor.New(tensor.Shape{3}, []int64{1, 2, 3})
	src.set("bias", bias)
	b := &trackable.Variable[int64]{Name: "bias"}
	warm(t, tree("b", b), src, &transfer.WarmStartOptions{VarNameToVocabInfo: map[string]transfer.VocabInfo{
		"bias": {NewVocab: words("c a"), OldVocab: words("a b c")}}})
	if !slices.Equal(b.Value, []int64{3, 1}) {
		t.Errorf("bias = %v, want 3 1", b.Value)
	}
}

func TestVocabOnlyLeavesTheOthers(t *testing.T) {
	emb, w := &variable{Name: "emb"}, v("w", 0)
	src := matrix()
	src.set("w", vector(9))
	report := warm(t, flat(emb, w), src, &transfer.WarmStartOptions{VocabOnly: true, VarNameToVocabInfo: map[string]transfer.VocabInfo{
		"emb": {NewVocab: words("b"), OldVocab: words("a b c d")}}})
	wantValue(t, emb, 3, 4)
	wantValue(t, w, 0)
	if !slices.Equal(report.Untouched, []string{"w"}) || !slices.Equal(report.Unused, []string{"w"}) {
		t.Errorf("report = %+v, want w untouched and unused", report)
	}
}

func TestVocabulariesThatCannotBe(t *testing.T) {
	old, errNone := words("a b c d"), errors.New("none today")
	for want, info := range map[string]transfer.VocabInfo{
		"the new vocabulary is empty":                         {OldVocab: old},
		"the old vocabulary is empty":                         {NewVocab: old},
		"the new vocabulary has 4 words, want the first 5":    {NewVocab: old, NewVocabSize: 5, OldVocab: old},
		"the old vocabulary has 4 words, want the first -1":   {NewVocab: old, OldVocab: old, OldVocabSize: -1},
		"the old vocabulary has 5 words, but axis 0 of [4,2]": {NewVocab: old, OldVocab: words("a b c d e")},
		`the old vocabulary has "a" twice, as 0 and 2`:        {NewVocab: old, OldVocab: words("a b a")},
		"vocabulary of axis 2, want 0 or 1":                   {NewVocab: old, OldVocab: old, Axis: 2},
		"-1 OOV buckets":                                      {NewVocab: old, OldVocab: old, NumOOVBuckets: -1},
		"emb: backup initializer: none today": {NewVocab: words("w x y z"), OldVocab: old,
			BackupInitializer: func(tensor.Shape) (tensor.Tensor, error) { return tensor.Tensor{}, errNone }},
		"backup initializer: gave float32 [1], want float32 [8,1]": {NewVocab: words("w x y z"), OldVocab: old,
			BackupInitializer: func(tensor.Shape) (tensor.Tensor, error) { return vector(1), nil }},
		"checkpoint has float32 [5,2], object wants float32 [4,2]": {NewVocab: old, OldVocab: old, NumOOVBuckets: 1},
	} {
		emb := trackable.NewVariable("emb", tensor.Shape{4, 2}, make([]float32, 8))
		_, err := transfer.WarmStart(flat(emb), matrix(), &transfer.WarmStartOptions{VarNameToVocabInfo: map[string]transfer.VocabInfo{"emb": info}})
		wantError(t, "WarmStart", err, nil, want)
		wantValue(t, emb, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	for name, d := range map[string]tensor.Tensor{"scalar": array(nil, 1), "text": text("a")} {
		src := newMemory()
		src.set("emb", d)
		_, err := transfer.WarmStart(flat(v("emb", 0)), src, &transfer.WarmStartOptions{VarNameToVocabInfo: map[string]transfer.VocabInfo{
			"emb": {NewVocab: old[:1], OldVocab: old[:1]}}})
		wantError(t, name, err, nil, "vocabulary of a")
	}
}

// A shape is only what a file says: where it has no elements nothing is to be
// counted through.
func TestAVocabularyOfATensorWithoutElements(t *testing.T) {
	src, out := newMemory(), &variable{Name: "out"}
	src.set("out", array(tensor.Shape{1 << 50, 1, 0}))
	warm(t, flat(out), src, &transfer.WarmStartOptions{VarNameToVocabInfo: map[string]transfer.VocabInfo{
		"out": {NewVocab: words("b a"), OldVocab: words("a"), NumOOVBuckets: 1, Axis: 1}}})
	if want := (tensor.Shape{1 << 50, 3, 0}); !out.Shape.Equal(want) {
		t.Errorf("shape = %v, want %v", out.Shape, want)
	}
}

func text(s ...string) tensor.Tensor {
	t, err := tensor.FromStrings(tensor.Shape{int64(len(s))}, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAVocabularyFileHasAWordALine(t *testing.T) {
	for file, want := range map[string][]string{
		"":              nil,
		"a":             {"a"},
		"a\n":           {"a"},
		"a\r\nb c\n\nd": {"a", "b c", "", "d"},
	} {
		if got, err := transfer.ReadVocab(strings.NewReader(file)); err != nil || !slices.Equal(got, want) {
			t.Errorf("ReadVocab(%q) = %q, %v, want %q", file, got, err, want)
		}
	}
	_, err := transfer.ReadVocab(strings.NewReader("a\n" + strings.Repeat("x", 2<<20)))
	wantError(t, "ReadVocab", err, nil, "vocabulary: line 2: ")
}
