package sharding_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
	"pgregory.net/rapid"
)

// fixed describes a tensor of a dtype of fixed size.
func fixed(name string, d tensor.DType, shape ...int64) sharding.Tensor {
	n, err := tensor.Shape(shape).NumElements()
	if err != nil {
		panic(err)
	}
	size := int64(d.Size())
	return sharding.Tensor{Name: name, DType: d, Shape: shape, Bytes: n * size, Element: size}
}

func f32(name string, shape ...int64) sharding.Tensor { return fixed(name, tensor.Float32, shape...) }

// str describes a scalar string.
func str(name string, bytes int64) sharding.Tensor {
	return sharding.Tensor{Name: name, DType: tensor.String, Bytes: bytes, Element: bytes}
}

// graph is the object graph, which is last and counts nothing.
var graph = sharding.Tensor{Name: "G", DType: tensor.String}

func split(t testing.TB, p sharding.Policy, tensors ...sharding.Tensor) *sharding.Layout {
	t.Helper()
	l, err := sharding.Split(p, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// show writes a layout as "a b[0,2:0,1] | c".
func show(l *sharding.Layout) string {
	var shards []string
	for _, s := range l.Shards {
		var parts []string
		for _, t := range s {
			part := t.Name
			if t.Slice != nil {
				part += "[" + t.Slice.String() + "]"
			}
			parts = append(parts, part)
		}
		shards = append(shards, strings.Join(parts, " "))
	}
	return strings.Join(shards, " | ")
}

// wantLayouts checks what MaxShardSize makes of tensors, by its limit.
func wantLayouts(t *testing.T, tensors []sharding.Tensor, want map[int64]string) {
	t.Helper()
	for limit, layout := range want {
		if got := show(split(t, sharding.MaxShardSize(limit), tensors...)); got != layout {
			t.Errorf("MaxShardSize(%d) makes\n  %s, want\n  %s", limit, got, layout)
		}
	}
}

func TestScenario120AtMostSoManyBytesAShard(t *testing.T) {
	ones := "v0[0,1] | v0[1,1] | v0[2,1] | v0[3,1] | v1[0,1:0,1] | v1[1,1:0,1] | v1[2,1:0,1] | v1[3,1:0,1] G"
	twos := "v0[0,2] | v0[2,2] | v1[0,2:0,1] | v1[2,2:0,1] G"
	wantLayouts(t, []sharding.Tensor{f32("v0", 4), fixed("v1", tensor.Int32, 4, 1), graph}, map[int64]string{
		4: ones, 8: twos, 10: twos, 16: "v0 | v1 G", 18: "v0 | v1 G",
	})
	rows := "v0[0,1:0,2] | v0[1,1:0,2] | v0[2,1:0,2] | v1[0,1:0,2:0,1] | v1[1,1:0,2:0,1] | v1[2,1:0,2:0,1] G"
	wantLayouts(t, []sharding.Tensor{f32("v0", 3, 2), fixed("v1", tensor.Int32, 3, 2, 1), graph}, map[int64]string{
		8: rows, 10: rows,
		12: "v0[0,3:0,1] | v0[0,3:1,1] | v1[0,3:0,1:0,1] | v1[0,3:1,1:0,1] G",
		16: "v0[0,2:0,2] | v0[2,1:0,2] v1[0,1:0,2:0,1] | v1[1,2:0,2:0,1] G",
	})
	wantLayouts(t, []sharding.Tensor{f32("w", 5, 5)}, map[int64]string{44: "w[0,2:0,5] | w[2,2:0,5] w[4,1:0,1] | w[4,1:1,4]"})
	wantLayouts(t, []sharding.Tensor{f32("w", 2, 3)}, map[int64]string{8: "w[0,2:0,1] | w[0,1:1,2] | w[1,1:1,2]"})
}

func TestScenario122StringsOfTheSizeOfAShard(t *testing.T) {
	four := []sharding.Tensor{str("a", 10), str("b", 10), str("c", 10), str("d", 10), graph}
	wantLayouts(t, four, map[int64]string{10: "a | b | c | d G"})
}

func TestScenario123AStringLargerThanAShard(t *testing.T) {
	wantLayouts(t, []sharding.Tensor{str("v0", 10), graph}, map[int64]string{8: "G | v0", 9: "G | v0", 10: "v0 G"})
}

func TestScenario125ASliceIsCutFurther(t *testing.T) {
	s := f32("v", 2, 3)
	s.Slice, s.Full = &tensor.Slice{Start: []int64{0, 1}, Length: []int64{2, 3}}, tensor.Shape{2, 5}
	wantLayouts(t, []sharding.Tensor{s}, map[int64]string{
		8:  "v[0,2:1,1] | v[0,1:2,2] | v[1,1:2,2]",
		12: "v[0,1:1,3] | v[1,1:1,3]",
		24: "v[0,2:1,3]",
	})
}

func TestScenario126ElementsLargerThanAShard(t *testing.T) {
	for _, c := range []struct {
		tensor   sharding.Tensor
		limit    int64
		want     string
		warnings int
	}{
		{f32("v", 2, 3), 4, "v[1,1:1,1] | v[1,1:2,1] | G | v[0,2:0,1] | v[0,1:1,2]", 2},
		{fixed("v", tensor.Float64, 3), 4, "G | v[0,1] | v[1,1] | v[2,1]", 3},
		{fixed("v", tensor.Float64), 4, "G | v", 1},
		{f32("v", 1, 1), 3, "G | v", 1},
		{f32("v", 2, 1), 4, "v[0,1:0,1] | v[1,1:0,1] | G", 0},
	} {
		g := str("G", 1) // counts, so that the shards are seen to be full
		l := split(t, sharding.MaxShardSize(c.limit), c.tensor, g)
		if got := show(l); got != c.want {
			t.Errorf("MaxShardSize(%d) of %v %v makes\n  %s, want\n  %s", c.limit, c.tensor.DType, c.tensor.Shape, got, c.want)
		}
		if len(l.Warnings) != c.warnings {
			t.Errorf("MaxShardSize(%d) of %v %v warns %q, want %d warnings", c.limit, c.tensor.DType, c.tensor.Shape, l.Warnings, c.warnings)
		}
	}
}

func TestScenario127TensorsWithoutElements(t *testing.T) {
	wantLayouts(t, []sharding.Tensor{f32("none", 0, 3), f32("v", 2), f32("no", 2, 0), graph}, map[int64]string{
		4: "none v[0,1] | v[1,1] no G",
		8: "none v no G",
	})
}

func TestStringsAreCutByTheLongest(t *testing.T) {
	s := describe(t, []string{"four", "", "x", "yy"})
	if s.Bytes != 7 || s.Element != 4 {
		t.Errorf("described as %d bytes, an element of at most %d, want 7 and 4", s.Bytes, s.Element)
	}
	wantLayouts(t, []sharding.Tensor{s}, map[int64]string{7: "s", 6: "s[0,1] | s[1,1] | s[2,1] | s[3,1]"})
	// A shard opened for the whole still counts the whole exactly.
	wantLayouts(t, []sharding.Tensor{str("a", 8), s, str("b", 1)}, map[int64]string{8: "a | s b", 9: "a | s b", 10: "a | s b", 7: "s | b | a"})
}

func describe(t *testing.T, elems []string) sharding.Tensor {
	t.Helper()
	value, err := tensor.FromStrings(tensor.Shape{int64(len(elems))}, elems)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sharding.Describe(format.Named{Name: "s", Tensor: value}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEachWorkersTensorsAreItsOwn(t *testing.T) {
	var tensors []sharding.Tensor
	for i := range 4 {
		v := f32(fmt.Sprint("v", i), 2)
		v.Worker = 1 - i%2
		tensors = append(tensors, v)
	}
	if got, want := show(split(t, sharding.ByWorker(), tensors...)), "v1 v3 | v0 v2"; got != want {
		t.Errorf("ByWorker makes %s, want %s", got, want)
	}
	if got, want := show(split(t, sharding.MaxShardSize(12), tensors...)), "v1 v3[0,1] | v3[1,1] | v0 v2[0,1] | v2[1,1]"; got != want {
		t.Errorf("MaxShardSize makes %s, want %s", got, want)
	}
}

// Whatever the tensors and the limit, nothing is lost, and a shard is larger
// than the limit only if it is a single piece.
func TestMaxShardSizeEndsAndKeepsItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tensors []sharding.Tensor
		for i := range rapid.IntRange(0, 6).Draw(t, "tensors") {
			shape := rapid.SliceOfN(rapid.Int64Range(0, 7), 0, 4).Draw(t, "shape")
			d := rapid.SampledFrom([]tensor.DType{tensor.Float32, tensor.Float64, tensor.Bool, tensor.Variant}).Draw(t, "dtype")
			tensors = append(tensors, fixed(fmt.Sprint("v", i), d, shape...))
		}
		limit := rapid.Int64Range(1, 200).Draw(t, "limit")
		l, err := sharding.Split(sharding.MaxShardSize(limit), tensors)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Shards {
			var bytes int64
			for _, p := range s {
				bytes += p.Bytes
			}
			if len(s) == 0 || bytes > limit && len(s) > 1 {
				t.Errorf("MaxShardSize(%d) makes %s, with %d bytes in one shard of %d parts", limit, show(l), bytes, len(s))
			}
		}
	})
}

func TestScenario128APolicyThatLosesOrRepeatsATensor(t *testing.T) {
	given := []sharding.Tensor{f32("a", 4), f32("b", 2, 2), f32("none", 0)}
	half := func(t sharding.Tensor, start, length int64) sharding.Tensor {
		p, err := t.Part(tensor.Slice{Start: []int64{start}, Length: []int64{length}})
		if err != nil {
			panic(err)
		}
		return p
	}
	a, b, none := given[0], given[1], given[2]
	changed := func(change func(*sharding.Tensor)) []sharding.Shard {
		c := b
		change(&c)
		return []sharding.Shard{{a, c, none}}
	}
	for _, c := range []struct {
		shards []sharding.Shard
		err    string // "" if the layout is right
	}{
		{[]sharding.Shard{{none, b}, {}, {a}}, ""},
		{[]sharding.Shard{{half(a, 2, 2), b}, {half(a, 0, 2), none}}, ""},
		{[]sharding.Shard{{a, none}}, "b: was dropped"},
		{[]sharding.Shard{{a, b}}, "none: was dropped"},
		{[]sharding.Shard{{half(a, 0, 3), b, none}}, "a: was dropped in part: of 4 elements there are 3"},
		{[]sharding.Shard{{a, b, none}, {b}}, "b: was duplicated"},
		{[]sharding.Shard{{a, b, none}, {none}}, "none: was duplicated"},
		{[]sharding.Shard{{half(a, 0, 2), half(a, 1, 2), b, none}}, "a: was duplicated"},
		{[]sharding.Shard{{a, b, none, f32("c", 1)}}, "c: was added"},
		{changed(func(t *sharding.Tensor) { t.DType = tensor.Int32 }), "b: was float32, became int32"},
		{changed(func(t *sharding.Tensor) { t.Shape = tensor.Shape{4} }), "b: was reshaped from [2,2] to [4]"},
		{changed(func(t *sharding.Tensor) { t.Worker = 1 }), "b: was moved from worker 0 to worker 1"},
		{changed(func(t *sharding.Tensor) { t.Slice, t.Full = &tensor.Slice{}, tensor.Shape{9} }), "b: was reshaped"},
	} {
		p := sharding.Func("mine", func([]sharding.Tensor) ([]sharding.Shard, error) { return c.shards, nil })
		_, err := sharding.Split(p, given)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), `sharding policy "mine": `+c.err)) {
			t.Errorf("Split(%v) = %v, want %q", c.shards, err, c.err)
		}
	}
}

func TestPartsOfASliceStayInIt(t *testing.T) {
	s := f32("v", 2)
	s.Slice, s.Full = &tensor.Slice{Start: []int64{4}, Length: []int64{2}}, tensor.Shape{9}
	for _, start := range []int64{3, 5} {
		outside := sharding.Func("outside", func([]sharding.Tensor) ([]sharding.Shard, error) {
			p := s
			p.Slice = &tensor.Slice{Start: []int64{start}, Length: []int64{2}}
			return []sharding.Shard{{p}}, nil
		})
		want := fmt.Sprintf("v: was reshaped: slice %d,2 is not part of one that was given", start)
		if _, err := sharding.Split(outside, []sharding.Tensor{s}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Split = %v, want %q", err, want)
		}
	}
}

func TestPartsSaysWhereATensorGoes(t *testing.T) {
	l := split(t, sharding.MaxShardSize(8), f32("a", 1), f32("b", 3))
	var got []string
	for _, p := range l.Parts("b", nil) {
		got = append(got, fmt.Sprint(p.Shard, " ", p.Slice, " of ", p.Full))
	}
	if want := []string{"0 0,1 of [3]", "1 1,2 of [3]"}; !slices.Equal(got, want) {
		t.Errorf("Parts(b) = %q, want %q", got, want)
	}
	if got := l.Parts("a", nil); len(got) != 1 || got[0].Shard != 0 || got[0].Slice != nil {
		t.Errorf("Parts(a) = %+v, want it whole in shard 0", got)
	}
}

func TestImpossibleDescriptionsAreRefused(t *testing.T) {
	for _, d := range []sharding.Tensor{
		{Name: "v", Shape: tensor.Shape{-1}},
		{Name: "v", Shape: tensor.Shape{1 << 40, 1 << 40}},
		{Name: "v", Shape: tensor.Shape{1 << 40}, Element: 1 << 40},
		{Name: "v", Shape: tensor.Shape{2}, Element: 4, Bytes: 9},
		{Name: "v", Bytes: -1, Element: 4},
		{Name: "v", Shape: tensor.Shape{2}, Slice: &tensor.Slice{Start: []int64{8}, Length: []int64{2}}, Full: tensor.Shape{9}},
		{Name: "v", Shape: tensor.Shape{3}, Slice: &tensor.Slice{Start: []int64{0}, Length: []int64{2}}, Full: tensor.Shape{9}},
	} {
		for _, p := range []sharding.Policy{sharding.ByWorker(), sharding.MaxShardSize(4)} {
			if _, err := sharding.Split(p, []sharding.Tensor{d}); err == nil || !strings.Contains(err.Error(), ": v: ") {
				t.Errorf("Split(%s, %+v) = %v, want an error about v", p.Description(), d, err)
			}
		}
	}
	for _, p := range []sharding.Policy{sharding.MaxShardSize(0), sharding.Func("nothing", nil)} {
		if _, err := sharding.Split(p, []sharding.Tensor{f32("v")}); err == nil || !strings.Contains(err.Error(), p.Description()) {
			t.Errorf("Split(%s) = %v, want an error that names it", p.Description(), err)
		}
	}
}
