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

const value = "/.ATTRIBUTES/VARIABLE_VALUE"

// streaming is a Source that verifies, reads and slices by itself.
type streaming struct {
	*memory
	did []string
}

func (s *streaming) Verify(name string) error {
	s.did = append(s.did, "verify "+name)
	_, err := s.Tensor(name)
	return err
}

func (s *streaming) ReadInto(name string, dst []byte) error {
	s.did = append(s.did, "read "+name)
	copy(dst, s.tensors[name].Bytes())
	return nil
}

func (s *streaming) Slice(name string, part tensor.Slice) (tensor.Tensor, error) {
	s.did = append(s.did, "slice "+name)
	return s.tensors[name].Slice(part)
}

// restored restores all of root from src, and wants every value to be used.
func restored(t *testing.T, root trackable.Object, src format.Source, o *trackable.RestoreOptions) {
	t.Helper()
	status, err := trackable.Restore(root, src, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := status.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed() = %v, want nil", err)
	}
}

// trained is a model of an encoder and a head, which share a layer, with an
// optimizer that keeps slots for all of them.
func trained(base float32) (model, encoder *trackable.Node, vars map[string]*variable) {
	vars = map[string]*variable{"w": v("enc/w", base+1), "shared": v("shared", base+2), "head": v("head/w", base+3),
		"slot of w": v("", base+4), "slot of head": v("", base+5)}
	encoder = tree("a/b", vars["w"], "shared", vars["shared"])
	opt := &optimizer{}
	opt.slots = []trackable.Slot{{Variable: vars["w"], Name: "m", Value: vars["slot of w"]}, {Variable: vars["head"], Name: "m", Value: vars["slot of head"]}}
	encoder.Track("opt", opt)
	model = tree("head", tree("w", vars["head"], "shared", vars["shared"]), "net", tree("enc", encoder))
	return model, encoder, vars
}

type optimizer struct {
	trackable.Node
	slots []trackable.Slot
}

func (o *optimizer) Slots() []trackable.Slot { return o.slots }

func (o *optimizer) MakeSlot(variable trackable.Object, name string) (trackable.Object, error) {
	return nil, nil
}

func TestASubtreeIsACheckpointOfItsOwn(t *testing.T) {
	model, _, _ := trained(10)
	src := saved(t, model)
	part, err := transfer.Subtree(src, "net", "enc")
	if err != nil {
		t.Fatal(err)
	}
	_, encoder, vars := trained(0)
	restored(t, encoder, part, nil)
	wantValue(t, vars["w"], 11)
	wantValue(t, vars["shared"], 12)
	wantValue(t, vars["head"], 3)
	wantValue(t, vars["slot of w"], 14)
	wantValue(t, vars["slot of head"], 5) // its variable is elsewhere
	if names := part.Names(); slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "head/w") }) {
		t.Errorf("Names() = %q, want none of the head", names)
	}
	if _, err := part.Info("head/w" + value); err == nil {
		t.Error("Info of the head = nil, want format.ErrNoTensor")
	}
	whole, err := transfer.Subtree(src)
	if err != nil {
		t.Fatal(err)
	}
	model, _, vars = trained(0)
	restored(t, model, whole, nil)
	wantValue(t, vars["slot of head"], 15)
}

func TestASubtreeThatIsNotThere(t *testing.T) {
	model, _, _ := trained(10)
	_, err := transfer.Subtree(saved(t, model), "net", "dec")
	wantError(t, "Subtree", err, nil, `subtree: (root).net has no child "dec", only ["enc"]`)
	_, err = transfer.Subtree(stored(map[string][]float32{"w": {1}}), "net")
	wantError(t, "Subtree of a checkpoint by names", err, format.ErrNoTensor)
	hostile := stored(nil)
	bad, _ := tensor.FromStrings(nil, []string{"\xff"})
	hostile.set(trackable.GraphKey, bad)
	_, err = transfer.Subtree(hostile)
	wantError(t, "Subtree of a broken graph", err, format.ErrCorrupt)
}

func TestRenamedTensorsRestoreByGraphAsBefore(t *testing.T) {
	model, _, _ := trained(10)
	src, err := transfer.Rename(saved(t, model), func(name string) string { return "v2:" + name })
	if err != nil {
		t.Fatal(err)
	}
	if info, err := src.Info("v2:head/w" + value); err != nil || info.DType != tensor.Float32 {
		t.Errorf("Info of the new name = %v, %v", info, err)
	}
	model, _, vars := trained(0)
	restored(t, model, src, nil)
	wantValue(t, vars["w"], 11)
}

func TestRenameToNothingLeavesOut(t *testing.T) {
	model, _, _ := trained(10)
	src, err := transfer.Rename(saved(t, model), func(name string) string {
		if strings.HasPrefix(name, "head/") {
			return ""
		}
		return name
	})
	if err != nil {
		t.Fatal(err)
	}
	model, _, vars := trained(0)
	status, err := trackable.Restore(model, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, vars["w"], 11)
	wantValue(t, vars["head"], 3)
	if err := status.AssertExistingObjectsMatched(); err == nil {
		t.Error("AssertExistingObjectsMatched() = nil, want the head")
	}
	_, err = transfer.Rename(names(), func(string) string { return "one" })
	wantError(t, "Rename", err, nil, `rename: old/deep/b: two tensors are to be "one"`)
}

func TestFullNamesAreWhatTensorFlow1WouldHaveStored(t *testing.T) {
	model, _, _ := trained(10)
	src, err := transfer.FullNames(saved(t, model))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(slices.Values(src.Names())), []string{"enc/w", "head/w", "shared"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	w := v("enc/w", 0)
	if _, err := trackable.RestoreByName(flat(w), src, nil, nil); err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 11)
	plain := names()
	if same, err := transfer.FullNames(plain); same != format.Source(plain) || err != nil {
		t.Errorf("FullNames() of a checkpoint by names = %v, %v, want it itself", same, err)
	}
	two, err := transfer.FullNames(saved(t, flat(v("x", 1), v("x", 2), v("y", 3))))
	if err != nil || !slices.Equal(two.Names(), []string{"y"}) {
		t.Errorf("FullNames() with a name twice = %q, %v, want y alone", two.Names(), err)
	}
}

func TestReadIntoWantsAllOfIt(t *testing.T) {
	src, err := transfer.Rename(names(), func(name string) string { return name })
	if err != nil {
		t.Fatal(err)
	}
	into := src.(interface{ ReadInto(string, []byte) error }) // what trackable asks a Source for
	for n, want := range map[int]bool{7: false, 8: true, 9: false} {
		dst := make([]byte, n)
		if err := into.ReadInto("w", dst); (err == nil) != want || want && !slices.Equal(dst, vector(6, 7).Bytes()) {
			t.Errorf("ReadInto(%d bytes of 8) = %v and %v", n, err, dst)
		}
	}
	if err := into.ReadInto("nobody", nil); !errors.Is(err, format.ErrNoTensor) {
		t.Errorf("ReadInto of no tensor = %v, want format.ErrNoTensor", err)
	}
}

func TestWhatIsTooLargeToHoldIsStreamedThrough(t *testing.T) {
	src := &streaming{memory: names()}
	renamed, err := transfer.Rename(src, func(name string) string { return "x/" + name })
	if err != nil {
		t.Fatal(err)
	}
	w, part := v("a", 0, 0), v("b", 0)
	m := transfer.AssignmentMap{{From: "x/w", To: "a"}, {From: "x/old/w", To: "b", Slice: &tensor.Slice{Start: []int64{1}, Length: []int64{1}}}}
	if _, err := transfer.InitFromCheckpoint(flat(w, part), renamed, m, &trackable.RestoreOptions{StageLimit: -1}); err != nil {
		t.Fatal(err)
	}
	wantValue(t, w, 6, 7)
	wantValue(t, part, 2)
	if want := []string{"verify w", "read w"}; !slices.Equal(src.did, want) {
		t.Errorf("the source did %q, want %q", src.did, want)
	}
	m[1].From = "old/w"
	if _, err := transfer.InitFromCheckpoint(flat(part), src, m[1:], nil); err != nil || src.did[len(src.did)-1] != "slice old/w" {
		t.Errorf("InitFromCheckpoint = %v, and the source did %q, want it to slice", err, src.did)
	}
}
