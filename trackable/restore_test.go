package trackable_test

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

var errBadStamp = errors.New("bad stamp")

func TestRestoreKeepsTheCallersMemory(t *testing.T) {
	src := saved(t, tree("v", vector(1, 2, 3)))
	v := vector(0, 0, 0)
	mine := v.Value
	s := restored(t, tree("v", v), src, nil)
	if !slices.Equal(mine, []float32{1, 2, 3}) {
		t.Errorf("the caller's slice = %v, want 1 2 3", mine)
	}
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
}

func TestVariableWithoutValueTakesTheStoredShape(t *testing.T) {
	src := saved(t, tree("v", vector(1, 2, 3)))
	v := &trackable.Variable[float32]{}
	restored(t, tree("v", v), src, nil)
	wantValue(t, "v", v, 1, 2, 3)
	if !v.Shape.Equal(tensor.Shape{3}) {
		t.Errorf("v.Shape = %v, want [3]", v.Shape)
	}
	v.Value[0] = 9
	if !src.tensors["v"+value].Equal(saved(t, tree("v", vector(1, 2, 3))).tensors["v"+value]) {
		t.Error("the restored variable shares memory with the source")
	}
}

func TestAllMismatchesAreToldAndNothingChanges(t *testing.T) {
	src := saved(t, tree("a", vector(1, 2), "b", scalar(3), "c", vector(1)))
	a, b, c := vector(7, 7, 7), trackable.NewScalar[float64]("", 7), vector(7)
	status, err := trackable.Restore(tree("a", a, "b", b, "c", c), src, nil)
	var m *trackable.MismatchError
	if !errors.As(err, &m) || !errors.Is(err, trackable.ErrNotMatched) || status != nil {
		t.Fatalf("Restore = %v, %v, want a *MismatchError", status, err)
	}
	want := "2 tensors do not fit; nothing was restored" +
		"\n\t(root).a: a" + value + ": checkpoint has float32 [2], object wants float32 [3]" +
		"\n\t(root).b: b" + value + ": checkpoint has float32 [], object wants float64 []"
	if err.Error() != want {
		t.Errorf("Restore = %v\nwant %v", err, want)
	}
	wantValue(t, "c", c, 7)
	for name, n := range src.reads {
		if name != trackable.GraphKey {
			t.Errorf("%s was read %d times, want 0", name, n)
		}
	}
}

func TestCorruptTensorChangesNothing(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "b", scalar(2)))
	src.broken["b"+value] = &format.CorruptError{Part: "data-00000-of-00001", Tensor: "b" + value, Reason: "crc32c"}
	a, b := scalar(7), scalar(7)
	for _, limit := range []int64{0, -1} {
		_, err := trackable.Restore(tree("a", a, "b", b), src, &trackable.RestoreOptions{StageLimit: limit})
		if !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("Restore = %v, want ErrCorrupt", err)
		}
		wantValue(t, "a", a, 7)
	}
}

func TestOnlyTensorsOfMatchedObjectsAreRead(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "b", scalar(2)))
	restored(t, tree("a", scalar(0)), src, nil)
	if src.reads["a"+value] != 1 || src.reads["b"+value] != 0 {
		t.Errorf("reads = %v, want a once, b never", src.reads)
	}
}

func TestBeyondTheStageLimitTensorsAreReadTwice(t *testing.T) {
	src := saved(t, tree("a", vector(1), "b", vector(2, 3), "c", vector(4)))
	a, b, c := vector(0), vector(0, 0), vector(0)
	restored(t, tree("a", a, "b", b, "c", c), src, &trackable.RestoreOptions{StageLimit: 8})
	if src.reads["a"+value] != 1 || src.reads["b"+value] != 2 || src.reads["c"+value] != 1 {
		t.Errorf("reads = %v, want a 1, b 2, c 1", src.reads)
	}
	wantValue(t, "b", b, 2, 3)
}

func TestFirstOfTwoObjectsForOneStoredWins(t *testing.T) {
	shared := scalar(5)
	src := saved(t, tree("a", shared, "b", shared))
	a, b := scalar(0), scalar(0)
	s := restored(t, tree("a", a, "b", b), src, nil)
	wantValue(t, "a", a, 5)
	wantValue(t, "b", b, 0)
	if w := s.Warnings(); len(w) != 1 {
		t.Errorf("Warnings = %q, want one", w)
	}
	if s.AssertConsumed() == nil || s.AssertExistingObjectsMatched() == nil {
		t.Error("assertions pass, want both to fail for b")
	}
}

func TestVariablesTakeOnlyTheirOwnDType(t *testing.T) {
	v, s := scalar(7), &trackable.StringVariable{Value: []string{"old"}}
	if err := v.RestoreFromTensors(map[string]tensor.Tensor{trackable.VariableValue: text("x")}); err == nil || v.Value[0] != 7 {
		t.Errorf("RestoreFromTensors(string) = %v, value %v, want an error and 7", err, v.Value)
	}
	if err := s.RestoreFromTensors(map[string]tensor.Tensor{trackable.VariableValue: number(1)}); err == nil || s.Value[0] != "old" {
		t.Errorf("RestoreFromTensors(float32) = %v, value %v, want an error and old", err, s.Value)
	}
}

func TestRefusalWhileApplyingTakesBackStates(t *testing.T) {
	src := saved(t, tree("a", trackable.State(&stamp{"new"}), "b", trackable.State(&stamp{"new"}), "v", scalar(1)))
	src.set("b/.ATTRIBUTES/py_state", text(""))
	a, b, v := &stamp{"old"}, &stamp{"old"}, scalar(7)
	_, err := trackable.Restore(tree("a", trackable.State(a), "b", trackable.State(b), "v", v), src, nil)
	if !errors.Is(err, errBadStamp) {
		t.Errorf("Restore = %v, want the stamp's error", err)
	}
	if a.text != "old" || b.text != "old" {
		t.Errorf("states = %q %q, want both old", a.text, b.text)
	}
	wantValue(t, "v", v, 7)
}

func text(s string) tensor.Tensor {
	t, err := tensor.FromStrings(nil, []string{s})
	if err != nil {
		panic(err)
	}
	return t
}

func TestListedButNotStoredIsAMismatchOfThatTensor(t *testing.T) {
	src := saved(t, tree("v", scalar(1)))
	src.drop("v" + value)
	_, err := trackable.Restore(tree("v", scalar(0)), src, nil)
	want := "(root).v: checkpoint has no tensor VARIABLE_VALUE for it"
	if err == nil || err.Error() != want || !errors.Is(err, trackable.ErrNotMatched) {
		t.Errorf("Restore = %v, want %v", err, want)
	}
	m := &many{}
	s := restored(t, tree("v", m), src, nil)
	if m.calls != 0 || s.AssertExistingObjectsMatched() == nil {
		t.Errorf("an object of another kind was called %d times and matched %v, want 0 and an error", m.calls, s.AssertExistingObjectsMatched())
	}
}

func TestWithoutAGraphThereIsNoTensor(t *testing.T) {
	if _, err := trackable.Restore(tree(), newMemory(), nil); !errors.Is(err, format.ErrNoTensor) {
		t.Errorf("Restore = %v, want ErrNoTensor", err)
	}
}

// scaled is a Variable with a tensor more.
type scaled struct {
	trackable.Variable[float32]
	scale tensor.Tensor
}

func (s *scaled) SerializeToTensors() ([]trackable.Attribute, error) {
	attributes, err := s.Variable.SerializeToTensors()
	return append(attributes, trackable.Attribute{Name: "scale", Tensor: s.scale}), err
}

func (s *scaled) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	s.scale = stored["scale"].Clone()
	return s.Variable.RestoreFromTensors(stored)
}

func TestATypeThatEmbedsAVariableMayHaveMoreTensors(t *testing.T) {
	src := saved(t, tree("s", &scaled{*scalar(1), number(2)}))
	s := &scaled{*scalar(0), number(0)}
	if err := restored(t, tree("s", s), src, nil).AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	if s.Value[0] != 1 || !s.scale.Equal(number(2)) {
		t.Errorf("restored %v and %v, want 1 and 2", s.Value, s.scale.Format(0))
	}
}

func TestOneVariableForTwoStoredTakesTheFirst(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "b", scalar(2)))
	v := scalar(0)
	restored(t, tree("b", v, "a", v), src, nil)
	wantValue(t, "v", v, 1)
}

// refusing is an object that cannot be asked, and refuses.
type refusing struct{ many }

func (*refusing) RestoreFromTensors(map[string]tensor.Tensor) error { return errBadStamp }

func TestStructsAreReadIntoWhereTheirMemoryIsOneRun(t *testing.T) {
	type model struct {
		Vector []float32
		Grid   [2][2]int16
		Rows   [][]float32
		Flags  []bool
		Words  []string
		Fresh  []float32
		Map    map[string]float32
		One    int
	}
	m := func() *model {
		return &model{[]float32{1, 2}, [2][2]int16{{1, 2}, {3, 4}}, [][]float32{{1}, {2}}, []bool{true}, []string{"x"}, nil, map[string]float32{"k": 1}, 5}
	}
	want := m()
	want.Fresh = []float32{6}
	src := &verifying{memory: saved(t, object(t, want))}
	got := m()
	got.Vector[1], got.Grid[1][1], got.Rows[1][0], got.Flags[0], got.Words[0], got.Map["k"], got.One = 0, 0, 0, false, "", 0, 0
	restored(t, object(t, got), src, &trackable.RestoreOptions{StageLimit: -1})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("restored %v, want %v", got, want)
	}
	if want := []string{"Vector" + value, "Grid" + value, "One" + value}; strconv.IntSize == 64 && !slices.Equal(src.into, want) {
		t.Errorf("read into %q, want %q", src.into, want)
	}
}

func TestObjectsThatMayRefuseGoFirst(t *testing.T) {
	src := saved(t, tree("v", scalar(1), "r", &many{attributes: []trackable.Attribute{{Name: "x", Tensor: number(1)}}}))
	v := scalar(7)
	_, err := trackable.Restore(tree("v", v, "r", new(refusing)), src, nil)
	if want := "(root).r: bad stamp"; err == nil || err.Error() != want {
		t.Errorf("Restore = %v, want %v", err, want)
	}
	wantValue(t, "v", v, 7)
	both := tree("a", new(many), "b", new(refusing))
	m := &many{attributes: []trackable.Attribute{{Name: "x", Tensor: number(1)}}}
	_, err = trackable.Restore(both, saved(t, tree("a", m, "b", &many{attributes: m.attributes})), nil)
	if want := "(root).b: after 1 other objects were restored: bad stamp"; err == nil || err.Error() != want {
		t.Errorf("Restore = %v, want %v", err, want)
	}
}

// verifying is a Source that verifies without holding.
type verifying struct {
	*memory
	verified []string
	into     []string
}

func (v *verifying) ReadInto(name string, dst []byte) error {
	v.mu.Lock()
	v.into = append(v.into, name)
	v.mu.Unlock()
	if n := copy(dst, v.tensors[name].Bytes()); n != len(dst) {
		return errBadStamp
	}
	return nil
}

func (v *verifying) Verify(name string) error {
	v.mu.Lock()
	v.verified = append(v.verified, name)
	v.mu.Unlock()
	return v.broken[name]
}

// broken is the Source of what root saves, with one variable damaged.
func broken(t *testing.T, root trackable.Object, name string) *verifying {
	v := &verifying{memory: saved(t, root)}
	v.broken[name+value] = format.ErrCorrupt
	return v
}

func TestWhatDoesNotFitIsVerifiedAsAStream(t *testing.T) {
	src := &verifying{memory: saved(t, tree("a", scalar(1), "b", vector(1, 2)))}
	a, b := scalar(7), vector(7, 7)
	o := &trackable.RestoreOptions{StageLimit: 4}
	restored(t, tree("a", a, "b", b), src, o)
	if b := []string{"b" + value}; !slices.Equal(src.verified, b) || !slices.Equal(src.into, b) || src.reads["b"+value] != 0 {
		t.Errorf("verified %q, read into %q, read %v, want b verified and read into", src.verified, src.into, src.reads)
	}
	wantValue(t, "b", b, 1, 2)
	// What follows a tensor that does not fit is verified too.
	c := tree("b", b, "c", a)
	if _, err := trackable.Restore(c, broken(t, tree("b", vector(1, 2), "c", scalar(1)), "c"), o); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Restore = %v, want ErrCorrupt of c", err)
	}
	src.broken["b"+value] = format.ErrCorrupt
	a.Value[0] = 7
	if _, err := trackable.Restore(tree("a", a, "b", b), src, o); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Restore = %v, want ErrCorrupt", err)
	}
	wantValue(t, "a", a, 7)
}

// mute cannot tell its value before it has one.
type mute struct{ stamp }

func (m *mute) MarshalBinary() ([]byte, error) {
	if m.text == "" {
		return nil, errBadStamp
	}
	return m.stamp.MarshalBinary()
}

func TestAStateThatCannotBeTakenBackIsCounted(t *testing.T) {
	src := saved(t, tree("a", trackable.State(&stamp{"new"}), "b", trackable.State(&stamp{"new"})))
	src.set("b/.ATTRIBUTES/py_state", text(""))
	_, err := trackable.Restore(tree("a", trackable.State(new(mute)), "b", trackable.State(new(stamp))), src, nil)
	if want := "(root).b: after 1 other objects were restored: bad stamp"; err == nil || err.Error() != want {
		t.Errorf("Restore = %v, want %v", err, want)
	}
}

// TensorFlow restores what is attached after all that the root leads to, so
// that of two objects for one stored the root's has it.
func TestAttachedObjectsComeAfterAllTheRootLeadsTo(t *testing.T) {
	shared := scalar(5)
	src := saved(t, tree("deep", tree("er", tree("v", shared))), trackable.Child{Name: "k", Object: shared})
	own, attached := scalar(0), scalar(0)
	s := restored(t, tree("deep", tree("er", tree("v", own))), src,
		&trackable.RestoreOptions{Attached: []trackable.Child{{Name: "k", Object: attached}}})
	wantValue(t, "own", own, 5)
	wantValue(t, "attached", attached, 0)
	if len(s.Warnings()) != 1 {
		t.Errorf("Warnings = %q, want one", s.Warnings())
	}
}
