package transfer_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/ckpt-dev/ckpt/transfer"
)

// names is a checkpoint by names.
func names() *memory {
	return stored(map[string][]float32{"old/w": {1, 2}, "old/deep/b": {3}, "older/w": {4, 5}, "w": {6, 7}, "new/w": {8, 9}})
}

// assigned runs InitFromCheckpoint on fresh variables new/w, new/deep/b and
// other/w, which it returns.
func assigned(t *testing.T, m transfer.AssignmentMap) (w, b, other *variable, report *transfer.Report, err error) {
	t.Helper()
	w, b, other = v("new/w", 0, 0), v("new/deep/b", 0), v("other/w", 0, 0)
	report, err = transfer.InitFromCheckpoint(flat(w, b, other), names(), m, nil)
	return w, b, other, report, err
}

func TestANameToAName(t *testing.T) {
	w, b, other, report, err := assigned(t, transfer.Names(map[string]string{"old/w": "new/w"}))
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 1, 2)
	wantValue(t, b, 0)
	wantValue(t, other, 0, 0)
	if m := report.Matched; len(m) != 1 || m[0] != (transfer.Match{Variable: "new/w", Tensor: "old/w"}) {
		t.Errorf("Matched = %v, want old/w for new/w", m)
	}
	if want := []string{"new/deep/b", "other/w"}; !slices.Equal(report.Untouched, want) {
		t.Errorf("Untouched = %v, want %v", report.Untouched, want)
	}
	if want := []string{"new/w", "old/deep/b", "older/w", "w"}; !slices.Equal(report.Unused, want) {
		t.Errorf("Unused = %v, want %v", report.Unused, want)
	}
}

func TestAScopeToAScope(t *testing.T) {
	w, b, other, _, err := assigned(t, transfer.Names(map[string]string{"old/": "new/"}))
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 1, 2)
	wantValue(t, b, 3)
	wantValue(t, other, 0, 0)
}

func TestTheRootAsScope(t *testing.T) {
	w, _, other, _, err := assigned(t, transfer.Names(map[string]string{"/": "other/"}))
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 0, 0)
	wantValue(t, other, 6, 7)
	x := v("w", 0, 0)
	for from, want := range map[string][]float32{"/": {6, 7}, "old/": {1, 2}, "older/": {4, 5}} {
		if _, err := transfer.InitFromCheckpoint(flat(x), names(), transfer.Names(map[string]string{from: "/"}), nil); err != nil {
			t.Fatal(err)
		}
		wantValue(t, x, want...)
	}
}

func TestTheLastOfSeveralAssignmentsWins(t *testing.T) {
	// In the order of From: the scope "old/" first, the name "older/w" after.
	w, b, _, _, err := assigned(t, transfer.Names(map[string]string{"older/w": "new/w", "old/": "new/"}))
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 4, 5)
	wantValue(t, b, 3)
}

func TestOneTensorForSeveralVariables(t *testing.T) {
	w, _, other, report, err := assigned(t, transfer.AssignmentMap{{From: "w", To: "new/w"}, {From: "w", To: "other/w"}})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 6, 7)
	wantValue(t, other, 6, 7)
	if len(report.Matched) != 2 {
		t.Errorf("Matched = %v, want two", report.Matched)
	}
}

func TestAPatternToNames(t *testing.T) {
	w, b, other, _, err := assigned(t, transfer.AssignmentMap{{Match: regexp.MustCompile(`old/(.*)`), To: "new/$1"}})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 1, 2)
	wantValue(t, b, 3)
	wantValue(t, other, 0, 0)
	// A whole name must match, and names go before patterns.
	w, _, _, _, err = assigned(t, transfer.AssignmentMap{{From: "older/w", To: "new/w"}, {Match: regexp.MustCompile(`w|ol`), To: "new/w"}})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 4, 5)
}

func TestAPatternIsForWholeNames(t *testing.T) {
	for _, pattern := range []string{"w", "w|x", "o|w", "(?i)W", "^w$"} {
		w, _, _, _, err := assigned(t, transfer.AssignmentMap{{Match: regexp.MustCompile(pattern), To: "new/w"}})
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, w, 6, 7)
	}
	w, _, _, _, err := assigned(t, transfer.AssignmentMap{{Match: regexp.MustCompile("old|old/w"), To: "new/w"}})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 1, 2)
}

func TestOfSeveralAssignmentsAllMustFit(t *testing.T) {
	_, _, _, _, err := assigned(t, transfer.Names(map[string]string{"old/deep/b": "new/w", "w": "new/w"}))
	wantError(t, "InitFromCheckpoint", err, trackable.ErrNotMatched, `variable "new/w": is given both old/deep/b and w, which are not of one shape and dtype`)
	part := &tensor.Slice{Start: []int64{1}, Length: []int64{1}}
	_, b, _, _, err := assigned(t, transfer.AssignmentMap{{From: "old/deep/b", To: "new/deep/b"}, {From: "w", To: "new/deep/b", Slice: part}})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, b, 7)
}

func TestAnObjectNeedsNoName(t *testing.T) {
	a, b := v("", 0, 0), v("", 0)
	m := transfer.AssignmentMap{{From: "w", Object: a}, {From: "old/deep/b", To: "enc/b"}}
	if _, err := transfer.InitFromCheckpoint(tree("enc", tree("a", a, "b", b)), names(), m, nil); err != nil {
		t.Fatal(err)
	}
	wantValue(t, a, 6, 7)
	wantValue(t, b, 3)
}

func TestSlicesOfAWhole(t *testing.T) {
	src := newMemory()
	src.set("w", array(tensor.Shape{3, 2}, 1, 2, 3, 4, 5, 6))
	top, rest := trackable.NewVariable("w/part_0", tensor.Shape{1, 2}, make([]float32, 2)), &variable{Name: "w/part_1"}
	m := transfer.AssignmentMap{
		{From: "w", To: "w/part_0", Slice: &tensor.Slice{Start: []int64{0, 0}, Length: []int64{1, -1}}},
		{From: "w", To: "w/part_1", Slice: &tensor.Slice{Start: []int64{1, 0}, Length: []int64{2, 2}}},
	}
	for _, limit := range []int64{0, -1} {
		top.Value, rest.Value, rest.Shape = make([]float32, 2), nil, nil
		report, err := transfer.InitFromCheckpoint(flat(top, rest), src, m, &trackable.RestoreOptions{StageLimit: limit})
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, top, 1, 2)
		wantValue(t, rest, 3, 4, 5, 6)
		if len(report.Unused) != 0 || report.Matched[0].Slice == nil {
			t.Errorf("report = %+v, want w used in slices", report)
		}
	}
	m[1].Slice.Length[0] = 3
	_, err := transfer.InitFromCheckpoint(flat(top, rest), src, m, nil)
	wantError(t, "a slice outside", err, nil, `variable "w/part_1"`, "outside of dimension 0")
}

func TestAllThatIsWrongIsToldAtOnceAndNothingChanges(t *testing.T) {
	w, b := v("new/w", -1, -1), v("new/deep/b", -1, -1)
	m := transfer.AssignmentMap{
		{From: "w", To: "new/w"},
		{From: "missing", To: "new/deep/b"},
		{From: "w", To: "nobody"},
		{From: "w", To: "new/"},
		{From: "old/", To: "empty/"},
		{From: "old/", To: "new/", Slice: &tensor.Slice{}},
		{From: "w"},
		{To: "new/w"},
		{From: "w", Object: v("stranger", 1)},
		{Match: regexp.MustCompile("x+"), To: "new/w"},
		{Match: regexp.MustCompile("w"), To: "nobody/$0"},
		{Match: regexp.MustCompile(".*/w"), To: "new/w"},
		{Match: regexp.MustCompile("w"), Object: w},
	}
	_, err := transfer.InitFromCheckpoint(flat(w, b), names(), m, nil)
	wantError(t, "InitFromCheckpoint", err, format.ErrNoTensor,
		`variable "new/deep/b": missing: `, `variable "nobody": is not here`, `scope "new/": takes a scope too, want "w/"`,
		`scope "empty/": has no variables`, `scope "new/": takes no slice`, `assignment from "w": want one of To and Object`,
		`assignment to "new/w": want one of From and Match`, "is not a variable that the root leads to",
		`pattern "x+": no tensor`, `pattern "w": no variable`, `gives it both "new/w" and "old/w"`, `pattern "w": goes to names`)
	wantValue(t, w, -1, -1)
	// Shapes and dtypes, all of them.
	n := &trackable.Variable[int64]{Name: "n", Shape: tensor.Shape{2}, Value: []int64{-1, -1}}
	root := flat(w, b).Track("n", n)
	_, err = transfer.InitFromCheckpoint(root, names(), transfer.Names(map[string]string{"w": "new/w", "old/deep/b": "new/deep/b", "older/w": "n"}), nil)
	wantError(t, "InitFromCheckpoint", err, trackable.ErrNotMatched,
		"new/deep/b: old/deep/b: checkpoint has float32 [1], object wants float32 [2]", "n: older/w: checkpoint has float32 [2], object wants int64 [2]")
	wantValue(t, w, -1, -1)
	// In other modes, what fits.
	report, err := transfer.InitFromCheckpoint(root, names(), transfer.Names(map[string]string{"w": "new/w", "old/deep/b": "new/deep/b", "older/w": "n"}),
		&trackable.RestoreOptions{Mode: trackable.SkipMismatched | trackable.Cast})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 6, 7)
	wantValue(t, b, -1, -1)
	if !slices.Equal(n.Value, []int64{4, 5}) || len(report.Status.Skipped()) != 1 || len(report.Status.Converted()) != 1 {
		t.Errorf("n = %v, skipped %v, converted %v, want 4 5, one each", n.Value, report.Status.Skipped(), report.Status.Converted())
	}
	if m := report.Matched; len(m) != 2 || m[0].Variable != "new/w" || m[1].Variable != "n" {
		t.Errorf("Matched = %v, want new/w and n", m)
	}
	if want := []string{"new/deep/b"}; !slices.Equal(report.Untouched, want) || !slices.Contains(report.Unused, "old/deep/b") {
		t.Errorf("Untouched = %v, Unused = %v, want %v in one and what it would have got in the other", report.Untouched, report.Unused, want)
	}
}

func TestDamageChangesNothing(t *testing.T) {
	w, other := v("new/w", -1, -1), v("other/w", -1, -1)
	src := names()
	src.broken["older/w"] = true
	_, err := transfer.InitFromCheckpoint(flat(w, other), src, transfer.Names(map[string]string{"w": "new/w", "older/w": "other/w"}), nil)
	wantError(t, "InitFromCheckpoint", err, format.ErrCorrupt)
	wantValue(t, w, -1, -1)
	wantValue(t, other, -1, -1)
}

func TestNamesThatTwoVariablesHaveMeanNeither(t *testing.T) {
	a, b := v("w", 0, 0), v("w", 0, 0)
	_, err := transfer.InitFromCheckpoint(flat(a, b), names(), transfer.Names(map[string]string{"w": "w"}), nil)
	wantError(t, "InitFromCheckpoint", err, nil, `variable "w": (root).child0 and (root).child1 have this name`)
	// In a scope both are meant.
	if _, err := transfer.InitFromCheckpoint(flat(a, b), names(), transfer.Names(map[string]string{"/": "/"}), nil); err != nil {
		t.Fatal(err)
	}
	wantValue(t, a, 6, 7)
	wantValue(t, b, 6, 7)
}

// pair owns two tensors.
type pair struct {
	trackable.Node
	a, b tensor.Tensor
}

func (p *pair) SerializeToTensors() ([]trackable.Attribute, error) {
	return []trackable.Attribute{{Name: "a", Tensor: p.a}, {Name: "b", Tensor: p.b}}, nil
}

func (p *pair) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	p.a, p.b = stored["a"].Clone(), stored["b"].Clone()
	return nil
}

func TestAnObjectTakesItsTensorsTogether(t *testing.T) {
	p := &pair{a: vector(0), b: vector(0)}
	_, err := transfer.InitFromCheckpoint(tree("p", p), names(), transfer.Names(map[string]string{"w": "p/a"}), nil)
	wantError(t, "InitFromCheckpoint", err, nil, "(root).p: takes 2 tensors together, and only 1 are assigned")
	_, err = transfer.InitFromCheckpoint(tree("p", p), names(), transfer.AssignmentMap{{From: "w", Object: p}}, nil)
	wantError(t, "InitFromCheckpoint", err, nil, "has 2 tensors, want one")
	if _, err = transfer.InitFromCheckpoint(tree("p", p), names(), transfer.Names(map[string]string{"w": "p/a", "old/w": "p/b"}), nil); err != nil {
		t.Fatal(err)
	}
	if !p.a.Equal(vector(6, 7)) || !p.b.Equal(vector(1, 2)) {
		t.Errorf("the pair got %v and %v, want 6 7 and 1 2", p.a, p.b)
	}
}

func TestAnObjectBasedCheckpointIsFoundByFullNames(t *testing.T) {
	src := saved(t, tree("x", v("old/w", 1, 2), "y", tree("z", v("old/deep/b", 3))))
	w, b := v("new/w", 0, 0), v("new/deep/b", 0)
	for _, m := range []transfer.AssignmentMap{
		transfer.Names(map[string]string{"old/": "new/"}),
		{{Match: regexp.MustCompile("old/(.*)"), To: "new/$1"}},
		transfer.Names(map[string]string{"x/.ATTRIBUTES/VARIABLE_VALUE": "new/w", "old/deep/b": "new/deep/b"}),
		transfer.Names(map[string]string{"x": "new/w", "y/z": "new/deep/b"}),
		{{Match: regexp.MustCompile("x.*"), To: "new/w"}, {Match: regexp.MustCompile("y.*"), To: "new/deep/b"}},
	} {
		w.Value, b.Value = []float32{0, 0}, []float32{0}
		report, err := transfer.InitFromCheckpoint(flat(w, b), src, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, w, 1, 2)
		wantValue(t, b, 3)
		if len(report.Unused) != 0 {
			t.Errorf("Unused = %v, want none", report.Unused)
		}
	}
}

func TestAKeyGoesBeforeAFullNameAndThatBeforeAPath(t *testing.T) {
	src := saved(t, tree("x", v("y", 1, 1), "y", v("x", 2, 2), "z", v("x"+value, 3, 3)))
	for from, want := range map[string][]float32{"x": {2, 2}, "y": {1, 1}, "z": {3, 3}, "x" + value: {1, 1}, "y" + value: {2, 2}} {
		w := v("w", 0, 0)
		if _, err := transfer.InitFromCheckpoint(flat(w), src, transfer.Names(map[string]string{from: "w"}), nil); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(w.Value, want) {
			t.Errorf("%q is %v, want %v", from, w.Value, want)
		}
	}
}

// position is a state that is saved as bytes.
type position struct{ at byte }

func (p *position) MarshalBinary() ([]byte, error)      { return []byte{p.at}, nil }
func (p *position) UnmarshalBinary(stored []byte) error { p.at = stored[0]; return nil }

func TestOpaqueStatesAreNoVariables(t *testing.T) {
	w, p := v("w", 0, 0), &position{7}
	report, err := transfer.InitFromCheckpoint(flat(w).Track("input", trackable.State(p)), names(), transfer.Names(map[string]string{"/": "/"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 6, 7)
	if p.at != 7 || len(report.Untouched) != 0 {
		t.Errorf("the state is %v and %v untouched, want it to be out of this", p.at, report.Untouched)
	}
}
