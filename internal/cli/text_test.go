package cli

import (
	"bufio"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
)

// arrayOf returns the array that is all of t.
func arrayOf(t tensor.Tensor) *array {
	return &array{dtype: t.DType(), shape: t.Shape(), part: tensor.Whole(t.Shape()), read: t.Slice}
}

func text(t *testing.T, a *array, all bool) string {
	t.Helper()
	var b strings.Builder
	w := bufio.NewWriter(&b)
	if err := printText(w, a, all); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// counting returns an array of the given shape with the elements 0, 1, 2 ….
func counting(t *testing.T, shape ...int64) *array {
	t.Helper()
	n, err := tensor.Shape(shape).NumElements()
	if err != nil {
		t.Fatal(err)
	}
	elems := make([]int32, n)
	for i := range elems {
		elems[i] = int32(i)
	}
	v, err := tensor.New(shape, elems)
	if err != nil {
		t.Fatal(err)
	}
	return arrayOf(v)
}

func TestArraysPrintAsInNumpy(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		want  string
	}{
		{nil, "0\n"},
		{[]int64{3}, "[0, 1, 2]\n"},
		{[]int64{2, 3}, "[[0, 1, 2],\n [3, 4, 5]]\n"},
		{[]int64{2, 2, 3}, "[[[ 0,  1,  2],\n  [ 3,  4,  5]],\n\n [[ 6,  7,  8],\n  [ 9, 10, 11]]]\n"},
		{[]int64{1, 1}, "[[0]]\n"},
		{[]int64{0}, "[]\n"},
		{[]int64{3, 0}, "[]\n"},
		{[]int64{1001}, "[   0,    1,    2, ...,  998,  999, 1000]\n"},
		{[]int64{2, 1000}, "[[   0,    1,    2, ...,  997,  998,  999],\n [1000, 1001, 1002, ..., 1997, 1998, 1999]]\n"},
		{[]int64{1000, 2}, "[[   0,    1],\n [   2,    3],\n [   4,    5],\n ...,\n [1994, 1995],\n [1996, 1997],\n [1998, 1999]]\n"},
		{[]int64{501, 1, 2}, "[[[   0,    1]],\n\n [[   2,    3]],\n\n [[   4,    5]],\n\n ...,\n\n [[ 996,  997]],\n\n [[ 998,  999]],\n\n [[1000, 1001]]]\n"},
	} {
		if got := text(t, counting(t, c.shape...), false); got != c.want {
			t.Errorf("text of %v =\n%s\nwant\n%s", c.shape, got, c.want)
		}
	}
}

func TestLongRowsGoOnInTheNextLine(t *testing.T) {
	got := text(t, counting(t, 2, 40), false)
	for line := range strings.SplitSeq(got, "\n") {
		if len(line) > textLine {
			t.Errorf("line of %d columns: %q", len(line), line)
		}
	}
	if want := "[[ 0,  1,"; !strings.HasPrefix(got, want) {
		t.Errorf("text = %q, want it to begin with %q", got, want)
	}
	if want := "\n  18, 19, "; !strings.Contains(got, want) {
		t.Errorf("text = %q, want %q in it", got, want)
	}
}

func TestAllPrintsEveryElement(t *testing.T) {
	got := text(t, counting(t, 1200), true)
	if strings.Contains(got, "...") || strings.Count(got, ",") != 1199 {
		t.Errorf("text has %d commas, want 1199, and no dots: %.80q", strings.Count(got, ","), got)
	}
}

func TestStringsPrintQuotedAndCut(t *testing.T) {
	v, err := tensor.FromStrings(tensor.Shape{2}, []string{"a\x1b[2J\n\xff", strings.Repeat("x", 5000)})
	if err != nil {
		t.Fatal(err)
	}
	want := `["a\x1b[2J\n\xff",` + "\n " + `"` + strings.Repeat("x", 4096) + `"... (5000 bytes)]` + "\n"
	if got := text(t, arrayOf(v), false); got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	want = `["a\x1b[2J\n\xff",` + "\n " + `"` + strings.Repeat("x", 5000) + `"]` + "\n"
	if got := text(t, arrayOf(v), true); got != want {
		t.Errorf("text with all = %q, want %q", got, want)
	}
}

func TestSummaryReadsOnlyTheCorners(t *testing.T) {
	a := counting(t, 100, 100)
	read, whole := int64(0), a.read
	a.read = func(part tensor.Slice) (tensor.Tensor, error) {
		v, err := whole(part)
		read += v.NumElements()
		return v, err
	}
	text(t, a, false)
	if read != 36 {
		t.Errorf("the summary of 100x100 read %d elements, want 36", read)
	}
}

func TestPiecesOfARegionAreAllOfItInOrder(t *testing.T) {
	a := counting(t, 5, 4, 3)
	for limit := 1; limit < 300; limit++ {
		for _, spec := range []string{"-:-:-", "1,3:0,2:1,1", "4,1:1,3:-"} {
			part, err := tensor.ParseSlice(spec)
			if err == nil {
				part, err = part.Resolve(a.shape)
			}
			if err != nil {
				t.Fatal(err)
			}
			want, err := a.read(part)
			if err != nil {
				t.Fatal(err)
			}
			if got := piecewise(t, a, part, limit); got != string(want.Bytes()) {
				t.Fatalf("pieces of %v, %d bytes each, = %x, want %x", spec, limit, got, want.Bytes())
			}
		}
	}
}

func piecewise(t *testing.T, a *array, part tensor.Slice, limit int) string {
	t.Helper()
	got := ""
	for p := range splitRegion(part, 4, limit) {
		v, err := a.read(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Bytes()) > max(limit, 4) {
			t.Fatalf("piece %v has %d bytes, want at most %d", p, len(v.Bytes()), limit)
		}
		got += string(v.Bytes())
	}
	return got
}
