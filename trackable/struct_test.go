package trackable_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

func object(t testing.TB, ptr any) trackable.Object {
	t.Helper()
	o, err := trackable.Struct(ptr)
	if err != nil {
		t.Fatalf("Struct = %v, want no error", err)
	}
	return o
}

type layer struct {
	W    [][]float32 `ckpt:"kernel"`
	B    []float32   `ckpt:"bias"`
	Name string
}

type base struct {
	Step int
}

type Meta struct {
	Author string
	Text   string // hidden by the outer's
}

type everything struct {
	base
	*Meta
	Bool     bool
	I8       int8
	U        uint
	F16      tensor.F16
	C        complex64
	Text     string
	Bytes    []byte
	Grid     [2][3]int32
	Rows     [][2]float64
	Words    [][]string
	Flags    []bool
	Wait     time.Duration
	At       time.Time
	Big      *big.Int
	Rand     *rand.PCG
	Layers   []layer
	Pointers []*layer
	ByName   map[string]layer
	Numbers  map[string]float64
	Shared   map[string]*layer
	Nested   map[string]map[string][]int64
	Pairs    map[string][2]layer
	Times    map[key]time.Time
	Texts    map[string]netip.Addr
	Raws     map[string]tensor.Tensor
	Raw      tensor.Tensor
	Var      trackable.Variable[float32]
	VarPtr   *trackable.Variable[int32]
	Any      trackable.Object
	Opt      *float32
	Self     *everything
	Empty    []float32
	Skipped  func() `ckpt:"-"`
	Marks    struct{}
}

type key string

func sample() *everything {
	f := float32(1.5)
	raw, _ := tensor.New(tensor.Shape{2}, []uint16{1, 2})
	l := &layer{W: [][]float32{{1, 2}, {3, 4}}, B: []float32{5, 6}, Name: "l"}
	e := &everything{
		base: base{Step: -7}, Meta: &Meta{Author: "me"},
		Bool: true, I8: -8, U: 1 << 31, F16: tensor.ToF16(0.5), C: 1 + 2i, Text: "text", Bytes: []byte("bytes"),
		Grid: [2][3]int32{{1, 2, 3}, {4, 5, 6}}, Rows: [][2]float64{{1, 2}, {3, 4}, {5, 6}},
		Words: [][]string{{"a", ""}, {"c", "d"}}, Flags: []bool{true, false, true},
		Wait: time.Second, At: time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC),
		Big: new(big.Int).Lsh(big.NewInt(7), 100), Rand: rand.NewPCG(1, 2),
		Layers: []layer{*l, {B: []float32{7}}}, Pointers: []*layer{l, nil, l},
		ByName: map[string]layer{"x": {B: []float32{8}, Name: "x"}, "y": {Name: "y"}}, Numbers: map[string]float64{"e": 2.7, "a/b": 3},
		Shared: map[string]*layer{"l": l, "m": {Name: "m"}}, Nested: map[string]map[string][]int64{"o": {"i": {1, 2}}},
		Pairs: map[string][2]layer{"p": {{Name: "first"}, {Name: "second"}}},
		Times: map[key]time.Time{"t": time.Unix(1, 0)}, Texts: map[string]netip.Addr{"ip": netip.MustParseAddr("::1")},
		Raws: map[string]tensor.Tensor{"r": raw},
		Raw:  raw, Var: trackable.Variable[float32]{Value: []float32{9}}, VarPtr: trackable.NewScalar[int32]("", 10),
		Any: trackable.NewScalar[int8]("", 11), Opt: &f,
	}
	e.Self = e
	return e
}

func TestEveryKindOfFieldComesBackInAnEmptyStruct(t *testing.T) {
	want := sample()
	want.Rand.Uint64()
	src := saved(t, object(t, want))
	got := &everything{Any: trackable.NewScalar[int8]("", 0)}
	o := object(t, got)
	s := restored(t, o, src, nil)
	for name, err := range map[string]error{"AssertConsumed": s.AssertConsumed(), "AssertNontrivialMatch": s.AssertNontrivialMatch()} {
		if err != nil {
			t.Errorf("%s = %v, want nil", name, err)
		}
	}
	again := saved(t, o)
	if !slices.Equal(again.names, src.names) {
		t.Errorf("the restored struct is saved as\n%q, want\n%q", again.names, src.names)
	}
	for _, name := range src.names {
		if !again.tensors[name].Equal(src.tensors[name]) {
			t.Errorf("%s = %q, want %q", name, again.tensors[name].Format(0), src.tensors[name].Format(0))
		}
	}
	if got.Self != got || got.Pointers[0] != got.Pointers[2] || got.Pointers[0] != got.Shared["l"] || got.Pointers[1] != nil {
		t.Error("pointers that were shared are not")
	}
	if got.Rand.Uint64() != want.Rand.Uint64() || got.Big.Cmp(want.Big) != 0 || !got.At.Equal(want.At) || got.Meta.Author != "me" || got.Step != -7 {
		t.Errorf("states = %v %v %v %v, want as saved", got.Rand, got.Big, got.At, got.Meta)
	}
	if !reflect.DeepEqual(got.ByName, want.ByName) || !reflect.DeepEqual(got.Layers, want.Layers) || !reflect.DeepEqual(got.Words, want.Words) {
		t.Errorf("got %v %v %v, want %v %v %v", got.ByName, got.Layers, got.Words, want.ByName, want.Layers, want.Words)
	}
}

func TestEveryKindOfFieldComesBackOverOldValues(t *testing.T) {
	want := sample()
	src := saved(t, object(t, want))
	got := sample()
	got.Bool, got.U, got.Text, got.Bytes[0], got.Grid[1][2], got.Rows[0][1], got.Words[1][0] = false, 0, "", 0, 0, 0, "z"
	got.Wait, got.At, got.Meta.Author, got.Numbers["e"], got.Nested["o"]["i"][1] = 0, time.Time{}, "you", 0, 0
	got.Pairs["p"], got.Times["t"], got.ByName["x"] = [2]layer{}, time.Time{}, layer{B: []float32{0}}
	got.Big.SetInt64(1)
	got.Rand.Seed(8, 9)
	*got.Opt, got.Var.Value[0], got.Pointers[0].Name = 0, 0, ""
	s := restored(t, object(t, got), src, nil)
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	again := saved(t, object(t, got))
	for _, name := range src.names {
		if !again.tensors[name].Equal(src.tensors[name]) {
			t.Errorf("%s = %q, want %q", name, again.tensors[name].Format(0), src.tensors[name].Format(0))
		}
	}
}

func TestATensorFieldTakesOnlyItsKindOnceItHasOne(t *testing.T) {
	type model struct{ T tensor.Tensor }
	src := saved(t, object(t, &model{number(1)}))
	if _, err := trackable.Restore(object(t, &model{text("x")}), src, nil); !errors.Is(err, trackable.ErrNotMatched) {
		t.Errorf("Restore of float32 over string = %v, want ErrNotMatched", err)
	}
	wantKeys(t, saved(t, object(t, new(model))))
}

func TestKeysOfAStruct(t *testing.T) {
	type model struct {
		Layers []layer
		Step   int64             `ckpt:"step"`
		Scores map[string]uint16 `ckpt:"a.b"`
	}
	m := &model{Layers: []layer{{W: [][]float32{{1}}, B: []float32{1}}}, Scores: map[string]uint16{"z": 1, "a": 2}}
	wantKeys(t, saved(t, object(t, m)), "step"+value, "a..b/a"+value, "a..b/z"+value,
		"Layers/0/kernel"+value, "Layers/0/bias"+value, "Layers/0/Name"+value)
}

func TestTwoStructsOfOnePointerAreOneObject(t *testing.T) {
	m := &layer{B: []float32{1}}
	root := tree("a", object(t, m), "b", object(t, m))
	g, err := trackable.ReadGraph(saved(t, root))
	if err != nil || g.Nodes[0].Children[0].Node != g.Nodes[0].Children[1].Node {
		t.Errorf("children of the root = %v, %v, want one node twice", g.Nodes[0].Children, err)
	}
}

func TestSlicesSaveWithoutACopyAndRestoreInPlace(t *testing.T) {
	m := &layer{B: []float32{1, 2}}
	for n, err := range trackable.Save(object(t, m), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n.Name == "bias"+value {
			m.B[0] = 5
			if got, _ := tensor.Elements[float32](n.Tensor); got[0] != 5 {
				t.Errorf("the tensor saved is a copy: %v, want the slice's memory", got)
			}
		}
	}
	src := saved(t, object(t, m))
	mine := m.B
	clear(mine)
	restored(t, object(t, m), src, nil)
	if !slices.Equal(mine, []float32{5, 2}) {
		t.Errorf("the caller's slice = %v, want 5 2", mine)
	}
}

func TestStructsAreRestoredWholeOrNotAtAll(t *testing.T) {
	type model struct {
		A    []float32
		B    *float32
		L    []*layer
		M    map[string]float32
		Grid [][]float32
	}
	f := float32(1)
	src := saved(t, object(t, &model{A: []float32{1}, B: &f, L: []*layer{{Name: "x"}}, M: map[string]float32{"k": 1}, Grid: [][]float32{{1, 2}}}))
	got := &model{A: []float32{7, 7}, Grid: [][]float32{{7}}}
	_, err := trackable.Restore(object(t, got), src, nil)
	if err == nil || !strings.Contains(err.Error(), "(root).A: A"+value+": checkpoint has float32 [1], object wants float32 [2]") ||
		!strings.Contains(err.Error(), "(root).Grid: Grid"+value+": checkpoint has float32 [1,2], object wants float32 [1,1]") {
		t.Errorf("Restore = %v, want A and Grid not to fit", err)
	}
	if got.A[0] != 7 || got.B != nil || got.L != nil || got.M != nil {
		t.Errorf("a failed restore left %+v, want it as it was", got)
	}
}

func TestNilSliceSaysWhatItWants(t *testing.T) {
	type one struct{ X [][2]int32 }
	type other struct{ X [][]int32 }
	src := saved(t, object(t, &other{X: [][]int32{{1, 2, 3}}}))
	_, err := trackable.Restore(object(t, &one{}), src, nil)
	if want := "(root).X: X" + value + ": checkpoint has int32 [1,3], object wants int32 [?,2]"; err == nil || err.Error() != want {
		t.Errorf("Restore = %v, want %v", err, want)
	}
}

func TestRaggedRowsNameTheField(t *testing.T) {
	m := &struct{ Layers []layer }{[]layer{{W: [][]float32{{1, 2}, {3}}}}}
	err := saveError(object(t, m))
	if want := "(root).Layers.0.kernel: ragged: rows of 2 and of 1 elements"; err == nil || err.Error() != want {
		t.Errorf("Save = %v, want %v", err, want)
	}
}

func TestEmptyRowsBeyondReasonAreRefused(t *testing.T) {
	type model struct{ X [][][]float32 }
	src := saved(t, object(t, &model{}))
	for shape, refused := range map[string]tensor.Shape{"wide": {1 << 40, 1, 0}, "square": {300, 300, 0}} {
		huge, err := tensor.New(refused, []float32{})
		if err != nil {
			t.Fatal(err)
		}
		src.set("X"+value, huge)
		if _, err := trackable.Restore(object(t, &model{}), src, nil); !errors.Is(err, trackable.ErrNotMatched) {
			t.Errorf("Restore of %s empty rows = %v, want ErrNotMatched", shape, err)
		}
	}
}

func TestBoolsOfAFileAreOneOrZero(t *testing.T) {
	type model struct{ Flags []bool }
	m := &model{Flags: []bool{false, false, false}}
	src := saved(t, object(t, m))
	odd, err := tensor.FromBytes(tensor.Bool, tensor.Shape{3}, []byte{2, 0, 255})
	if err != nil {
		t.Fatal(err)
	}
	src.set("Flags"+value, odd)
	restored(t, object(t, m), src, nil)
	if got := saved(t, object(t, m)).tensors["Flags"+value].Bytes(); !slices.Equal(got, []byte{1, 0, 1}) {
		t.Errorf("bytes of the bools = %v, want 1 0 1", got)
	}
}

func TestPointersToNothingStayNil(t *testing.T) {
	type model struct {
		Bare *struct{}
		V    int8
	}
	got := new(model)
	restored(t, object(t, got), saved(t, object(t, &model{Bare: new(struct{})})), nil)
	if got.Bare != nil {
		t.Error("a pointer was made that no stored value is behind")
	}
}

type pointers *pointers

func TestEmbeddedMutexAndUnexportedFieldsAreLeftOut(t *testing.T) {
	type model struct {
		sync.Mutex
		V int32
	}
	wantKeys(t, saved(t, object(t, &model{})), "V"+value)
}

func TestAStructThatEmbedsATimeKeepsItsOtherFields(t *testing.T) {
	type event struct {
		time.Time
		Count int
	}
	m := &struct{ E event }{event{time.Unix(5, 0), 3}}
	src := saved(t, object(t, m))
	wantKeys(t, src, "E/Count"+value, "E/Time/.ATTRIBUTES/py_state")
}

func TestMapsKeepKeysThatAreNotStored(t *testing.T) {
	type model struct{ M map[string]float32 }
	src := saved(t, object(t, &model{map[string]float32{"a": 1}}))
	got := &model{map[string]float32{"b": 2}}
	s := restored(t, object(t, got), src, nil)
	if want := map[string]float32{"a": 1, "b": 2}; !reflect.DeepEqual(got.M, want) {
		t.Errorf("map = %v, want %v", got.M, want)
	}
	if err := s.AssertExistingObjectsMatched(); err == nil {
		t.Error("AssertExistingObjectsMatched = nil, want an error for b")
	}
}

func TestAnIndexAloneMakesNoMemory(t *testing.T) {
	type model struct{ L []*layer }
	one := tree("Name", &trackable.StringVariable{Value: []string{"x"}})
	got := new(model)
	s := restored(t, object(t, got), saved(t, tree("L", tree("3", one, "01", one, "1000000000", one, "-1", one))), nil)
	if len(got.L) != 4 || got.L[3] == nil || got.L[1] != nil {
		t.Errorf("list of %d, want 4 with the last alone not nil", len(got.L))
	}
	if err := s.AssertNontrivialMatch(); err != nil {
		t.Errorf("AssertNontrivialMatch = %v, want nil", err)
	}
}

func TestALongLinkedListComesBack(t *testing.T) {
	type link struct {
		V    int32
		Next *link
	}
	var first *link
	for i := range int32(1000) {
		first = &link{i, first}
	}
	got := new(link)
	if err := restored(t, object(t, got), saved(t, object(t, first)), nil).AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	n := 0
	for l := got; l != nil; l = l.Next {
		n++
	}
	if n != 1000 {
		t.Errorf("list of %d links, want 1000", n)
	}
}

type recursive struct {
	V int8
	M map[string]recursive
}

func TestMapsInMapsWithoutEndEnd(t *testing.T) {
	deep := tree("V", trackable.NewScalar[int8]("", 1))
	for range 300 {
		deep = tree("V", trackable.NewScalar[int8]("", 1), "M", tree("k", deep))
	}
	got := new(recursive)
	s := restored(t, object(t, got), saved(t, deep), nil)
	n := 0
	for r := *got; len(r.M) > 0; r = r.M["k"] {
		n++
	}
	if n != 100 || s.AssertConsumed() == nil {
		t.Errorf("%d maps in each other, AssertConsumed = %v, want 100 and an error", n, s.AssertConsumed())
	}
}

func TestNumbersBeyondThisMachinesIntChangeNothing(t *testing.T) {
	type stored struct {
		A, B int64
		S    []int64
	}
	type here struct {
		A, B int
		S    []int
	}
	src := saved(t, object(t, &stored{A: 5, B: 1 << 40, S: []int64{1, -1 << 40}}))
	got := here{A: 1, B: 2, S: []int{3, 4}}
	_, err := trackable.Restore(object(t, &got), src, nil)
	if strconv.IntSize == 64 {
		if err != nil || got.A != 5 || got.S[0] != 1 {
			t.Errorf("Restore = %v, got %v, want what is stored", err, got)
		}
		return
	}
	if !errors.Is(err, trackable.ErrNotMatched) || !strings.Contains(err.Error(), "(root).B: ") || got.A != 1 || got.S[0] != 3 {
		t.Errorf("Restore = %v, got %v, want an error of B and nothing changed", err, got)
	}
}
