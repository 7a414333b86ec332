package tensor

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSlicesParse(t *testing.T) {
	got, err := ParseSlice("5,5:-:0,100")
	want := Slice{[]int64{5, 0, 0}, []int64{5, -1, 100}}
	if err != nil || !got.Equal(want) {
		t.Errorf("ParseSlice = %v, %v, want %v", got, err, want)
	}
	if scalar, err := ParseSlice(""); err != nil || len(scalar.Start) != 0 {
		t.Errorf("ParseSlice(\"\") = %v, %v", scalar, err)
	}
	for _, bad := range []string{":", "1", "1,0", "-1,2", "1,2:", "x,1", "1,2,3", "0,99999999999999999999"} {
		if s, err := ParseSlice(bad); err == nil {
			t.Errorf("ParseSlice(%q) = %v, want an error", bad, s)
		}
	}
}

func FuzzParseSlice(f *testing.F) {
	f.Add("5,5:-:0,100")
	f.Add("")
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := ParseSlice(spec)
		if err != nil {
			return
		}
		if again, err := ParseSlice(s.String()); err != nil || !again.Equal(s) {
			t.Errorf("ParseSlice(%q) = %v, its String parses to %v, %v", spec, s, again, err)
		}
	})
}

func TestRegionsOutsideAreRefused(t *testing.T) {
	full := Shape{4, 5}
	for _, s := range []Slice{
		{[]int64{0}, []int64{1}},
		{[]int64{0, 0}, []int64{5, 1}},
		{[]int64{0, 6}, []int64{1, 0}},
		{[]int64{-1, 0}, []int64{1, 1}},
		{[]int64{0, 1}, []int64{1, math.MaxInt64}},
		{[]int64{1, 0}, []int64{-1, 1}},
		{[]int64{0, 0}, []int64{1}},
	} {
		if r, err := s.Resolve(full); err == nil {
			t.Errorf("Resolve(%v) = %v, want an error", s, r)
		}
	}
	r, err := Slice{[]int64{0, 2}, []int64{-1, 3}}.Resolve(full)
	if err != nil || !r.Shape().Equal(Shape{4, 3}) {
		t.Errorf("Resolve = %v, %v, want the shape [4,3]", r, err)
	}
}

// drawRegion draws a region of full that is not empty.
func drawRegion(t *rapid.T, full Shape, name string) Slice {
	var s Slice
	for _, d := range full {
		start := rapid.Int64Range(0, d-1).Draw(t, name+" start")
		s.Start = append(s.Start, start)
		s.Length = append(s.Length, rapid.Int64Range(1, d-start).Draw(t, name+" length"))
	}
	return s
}

// at returns the element of region s at index, an index into the full tensor;
// false if it is outside.
func at(s Slice, index []int64) (int64, bool) {
	var off int64
	for i, k := range index {
		if k < s.Start[i] || k >= s.Start[i]+s.Length[i] {
			return 0, false
		}
		off = off*s.Length[i] + k - s.Start[i]
	}
	return off, true
}

// eachIndex calls f with every index of a tensor of this shape.
func eachIndex(full Shape, f func(index []int64)) {
	index := make([]int64, len(full))
	n, _ := full.NumElements()
	for k := range n {
		for i := len(full) - 1; i >= 0; i-- {
			index[i] = k % full[i]
			k /= full[i]
		}
		f(index)
	}
}

func TestCopyRegionCopiesEachSharedElement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		full := Shape(rapid.SliceOfN(rapid.Int64Range(1, 5), 0, 4).Draw(t, "full"))
		from, to := drawRegion(t, full, "from"), drawRegion(t, full, "to")
		ns, _ := from.Shape().NumElements()
		nd, _ := to.Shape().NumElements()
		src, dst := make([]byte, 2*ns), make([]byte, 2*nd)
		for i := range src {
			src[i] = byte(i + 1)
		}
		CopyRegion(dst, to, src, from, 2)
		eachIndex(full, func(index []int64) {
			d, inDst := at(to, index)
			s, inSrc := at(from, index)
			if !inDst {
				return
			}
			want := []byte{0, 0}
			if inSrc {
				want = src[2*s : 2*s+2]
			}
			if got := dst[2*d : 2*d+2]; !slices.Equal(got, want) {
				t.Fatalf("element %v = %v, want %v", index, got, want)
			}
		})
	})
}

func TestRunsGoForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		full := Shape(rapid.SliceOfN(rapid.Int64Range(1, 4), 1, 4).Draw(t, "full"))
		next := int64(0)
		Runs(drawRegion(t, full, "dst"), drawRegion(t, full, "src"), func(_, src, n int64) {
			if src < next || n < 1 {
				t.Fatalf("run of %d at %d after %d", n, src, next)
			}
			next = src + n
		})
	})
}

func TestARunIsAsLongAsCanBe(t *testing.T) {
	full := Shape{4, 5, 6}
	rows := Slice{[]int64{1, 0, 0}, []int64{2, 5, 6}}
	count := 0
	Runs(rows, Whole(full), func(dst, src, n int64) {
		count++
		if dst != 0 || src != 30 || n != 60 {
			t.Errorf("run = %d, %d, %d, want 0, 30, 60", dst, src, n)
		}
	})
	if count != 1 {
		t.Errorf("%d runs, want 1", count)
	}
}

func TestSliceOfATensor(t *testing.T) {
	x, _ := New(Shape{3, 4}, []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	y, err := x.Slice(Slice{[]int64{1, 1}, []int64{-1, 2}})
	if err == nil {
		t.Errorf("Slice past the end = %v", y.Shape())
	}
	y, err = x.Slice(Slice{[]int64{1, 1}, []int64{2, 2}})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := Elements[int32](y)
	if want := []int32{5, 6, 9, 10}; !slices.Equal(got, want) {
		t.Errorf("Slice = %v, want %v", got, want)
	}
	s, _ := FromStrings(Shape{3}, []string{"a", "b", "c"})
	y, err = s.Slice(Slice{[]int64{1}, []int64{2}})
	if strs, _ := y.Strings(); err != nil || !slices.Equal(strs, []string{"b", "c"}) {
		t.Errorf("Slice = %v, %v, want [b c]", strs, err)
	}
}

func TestRegionsOfDifferentRankShareNothing(t *testing.T) {
	if got, ok := Whole(Shape{2}).Intersect(Whole(Shape{2, 2})); ok {
		t.Errorf("Intersect = %v, true, want false", got)
	}
}
