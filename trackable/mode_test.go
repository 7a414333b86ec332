package trackable_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// lines returns mismatches as text.
func lines(all []*trackable.Mismatch) []string {
	var text []string
	for _, m := range all {
		text = append(text, m.Error())
	}
	return text
}

func TestSkipMismatchedRestoresTheRestAndListsWhatItLeft(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "shape", vector(1, 2), "dtype", scalar(3), "gone", scalar(4)))
	a, shape, fresh := scalar(7), vector(7, 7, 7), scalar(7)
	dtype := trackable.NewScalar[float64]("", 7)
	root := tree("a", a, "shape", shape, "dtype", dtype, "new", fresh)
	s := restored(t, root, src, &trackable.RestoreOptions{Mode: trackable.SkipMismatched})
	wantValue(t, "a", a, 1)
	wantValue(t, "shape", shape, 7, 7, 7)
	wantValue(t, "new", fresh, 7)
	if dtype.Value[0] != 7 {
		t.Errorf("dtype = %v, want 7", dtype.Value)
	}
	want := []string{
		"(root).shape: shape" + value + ": checkpoint has float32 [2], object wants float32 [3]",
		"(root).dtype: dtype" + value + ": checkpoint has float32 [], object wants float64 []",
		"(root).new: checkpoint has no value for it",
	}
	if got := lines(s.Skipped()); !slices.Equal(got, want) {
		t.Errorf("Skipped = %q, want %q", got, want)
	}
	if src.reads["shape"+value] != 0 {
		t.Error("a tensor that is skipped was read")
	}
	wantErr := "not matched: skipped since their tensors do not fit: (root).shape, (root).dtype"
	if err := s.AssertExistingObjectsMatched(); err == nil || err.Error() != wantErr {
		t.Errorf("AssertExistingObjectsMatched = %v, want %v", err, wantErr)
	}
	if s.AssertConsumed() == nil || s.AssertNontrivialMatch() != nil {
		t.Errorf("AssertConsumed = %v, AssertNontrivialMatch = %v, want an error and nil", s.AssertConsumed(), s.AssertNontrivialMatch())
	}
}

func TestSkippingDoesNotHideDamage(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "b", scalar(2), "c", vector(1)))
	src.broken["b"+value] = &format.CorruptError{Tensor: "b" + value, Reason: "crc32c"}
	a := scalar(7)
	_, err := trackable.Restore(tree("a", a, "b", scalar(7), "c", scalar(7)), src, &trackable.RestoreOptions{Mode: trackable.SkipMismatched})
	if !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Restore = %v, want ErrCorrupt", err)
	}
	wantValue(t, "a", a, 7)
}

func TestSkippedRestoresOfLaterObjectsAreListedToo(t *testing.T) {
	root := tree("a", scalar(0))
	s := restored(t, root, saved(t, tree("a", scalar(1), "b", vector(1, 2))), &trackable.RestoreOptions{Mode: trackable.SkipMismatched})
	b := vector(7)
	root.Track("b", b)
	wantValue(t, "b", b, 7)
	if got := s.Skipped(); len(got) != 1 || got[0].Object != "(root).b" || s.Err() != nil {
		t.Errorf("Skipped = %v, Err = %v, want (root).b, nil", lines(got), s.Err())
	}
}

func TestCastConvertsNumbers(t *testing.T) {
	wide := trackable.NewVariable("", tensor.Shape{2}, []float64{0.1, -3})
	src := saved(t, tree("a", wide, "b", trackable.NewScalar("", int64(5)), "c", scalar(9), "d", scalar(1.5)))
	a, b, c := vector(0, 0), trackable.NewScalar[uint8]("", 0), trackable.NewScalar[int64]("", 0)
	d := trackable.NewScalar[tensor.BF16]("", 0)
	root := tree("a", a, "b", b, "c", c, "d", d)
	for _, limit := range []int64{0, -1} {
		a.Value[0], a.Value[1], b.Value[0], c.Value[0], d.Value[0] = 0, 0, 0, 0, 0
		v := &verifying{memory: src}
		s := restored(t, root, v, &trackable.RestoreOptions{Mode: trackable.Cast, StageLimit: limit})
		wantValue(t, "a", a, 0.1, -3)
		if b.Value[0] != 5 || c.Value[0] != 9 || d.Value[0] != tensor.ToBF16(1.5) {
			t.Errorf("b, c, d = %v %v %v, want 5, 9, 1.5", b.Value, c.Value, d.Value)
		}
		if err := s.AssertConsumed(); err != nil {
			t.Errorf("AssertConsumed = %v, want nil", err)
		}
		want := "(root).a: a" + value + ": checkpoint has float64 [2], object wants float32 [2]"
		if got := lines(s.Converted()); len(got) != 4 || got[0] != want || len(s.Skipped()) != 0 {
			t.Errorf("Converted = %q, Skipped = %q, want 4, the first %q", got, lines(s.Skipped()), want)
		}
	}
}

func TestCastRefusesLossesInOneReportAndChangesNothing(t *testing.T) {
	src := saved(t, tree("fits", scalar(1), "int", trackable.NewScalar("", int64(300)), "half", scalar(1.5),
		"text", &trackable.StringVariable{Value: []string{"1"}}, "flag", trackable.NewScalar("", true)))
	fits := trackable.NewScalar[float64]("", 7)
	n, half := trackable.NewScalar[int8]("", 7), trackable.NewScalar[int32]("", 7)
	root := tree("fits", fits, "int", n, "half", half)
	_, err := trackable.Restore(root, src, &trackable.RestoreOptions{Mode: trackable.Cast})
	want := "2 tensors do not fit; nothing was restored" +
		"\n\t(root).int: int" + value + ": int64 to int8: element 0: 300 is out of range" +
		"\n\t(root).half: half" + value + ": float32 to int32: element 0: 1.5 is no integer"
	if !errors.Is(err, trackable.ErrNotMatched) || err.Error() != want {
		t.Errorf("Restore = %v\nwant %v", err, want)
	}
	if fits.Value[0] != 7 || n.Value[0] != 7 || half.Value[0] != 7 {
		t.Errorf("values = %v %v %v, want 7", fits.Value, n.Value, half.Value)
	}
	_, err = trackable.Restore(tree("text", scalar(0), "flag", scalar(0)), src, &trackable.RestoreOptions{Mode: trackable.Cast})
	if err == nil || !strings.Contains(err.Error(), "has string []") || !strings.Contains(err.Error(), "has bool []") {
		t.Errorf("Restore = %v, want strings and bools refused", err)
	}
	s := restored(t, root, src, &trackable.RestoreOptions{Mode: trackable.Cast | trackable.SkipMismatched})
	if fits.Value[0] != 1 || n.Value[0] != 7 || len(s.Skipped()) != 2 || len(s.Converted()) != 1 {
		t.Errorf("fits, int = %v %v, Skipped = %q, Converted = %q", fits.Value, n.Value, lines(s.Skipped()), lines(s.Converted()))
	}
}

func TestCastDoesNotChangeShapes(t *testing.T) {
	src := saved(t, tree("v", vector(1, 2)))
	v := trackable.NewScalar[float64]("", 7)
	_, err := trackable.Restore(tree("v", v), src, &trackable.RestoreOptions{Mode: trackable.Cast})
	want := "(root).v: v" + value + ": checkpoint has float32 [2], object wants float64 []"
	if err == nil || err.Error() != want {
		t.Errorf("Restore = %v, want %v", err, want)
	}
}

func TestModesOfStructs(t *testing.T) {
	type before struct {
		A []float64
		B int32
		C []int8
	}
	type after struct {
		A []float32
		B int64
		C []int8
	}
	src := saved(t, object(t, &before{A: []float64{0.5}, B: 3, C: []int8{1, 2}}))
	got := &after{C: []int8{7}}
	s := restored(t, object(t, got), src, &trackable.RestoreOptions{Mode: trackable.Cast | trackable.SkipMismatched})
	if len(got.A) != 1 || got.A[0] != 0.5 || got.B != 3 || got.C[0] != 7 {
		t.Errorf("restored %+v, want A 0.5, B 3, C as it was", got)
	}
	if len(s.Skipped()) != 1 || len(s.Converted()) != 2 {
		t.Errorf("Skipped = %q, Converted = %q", lines(s.Skipped()), lines(s.Converted()))
	}
}

func TestCastBeyondTheStageLimitRefusesBeforeAnythingChanges(t *testing.T) {
	src := &verifying{memory: saved(t, tree("a", scalar(1), "n", trackable.NewScalar("", int64(300))))}
	a, n := scalar(7), trackable.NewScalar[int8]("", 7)
	_, err := trackable.Restore(tree("a", a, "n", n), src, &trackable.RestoreOptions{Mode: trackable.Cast, StageLimit: -1})
	if !errors.Is(err, trackable.ErrNotMatched) || !strings.Contains(err.Error(), "(root).n: ") {
		t.Errorf("Restore = %v, want that n is out of range", err)
	}
	wantValue(t, "a", a, 7)
}
