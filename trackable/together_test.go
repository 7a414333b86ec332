package trackable_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// together is a Source that reads several tensors at once, and notes which.
type together struct {
	*gated
	batches [][]string
}

func (s *together) note(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, names)
}

func (s *together) Tensors(names []string) (all []tensor.Tensor, err error) {
	s.note(names)
	for _, name := range names {
		t, err := s.Tensor(name)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (s *together) ReadAllInto(names []string, dst [][]byte) error {
	s.note(names)
	for i, name := range names {
		if err := s.ReadInto(name, dst[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *together) VerifyAll(names []string) error {
	s.note(names)
	for _, name := range names {
		if err := s.Verify(name); err != nil {
			return err
		}
	}
	return nil
}

func TestSmallTensorsAreReadTogetherInFileOrder(t *testing.T) {
	for name, o := range ways {
		src := &together{gated: gatedRow(t, 20, func(string) {})}
		var want []string
		for i := range 20 {
			want = append(want, rowKey(i))
		}
		times := 1
		if o != nil && o.StageLimit < 0 {
			times = 2
		}
		root, all := row(20, 100)
		restored(t, root, src, o)
		for i, v := range all {
			wantValue(t, rowKey(i), v, float32(1+i))
		}
		if len(src.batches) != times || !reflect.DeepEqual(src.batches[0], want) || !reflect.DeepEqual(src.batches[times-1], want) {
			t.Errorf("%s: read together: %q, want %d times all", name, src.batches, times)
		}
	}
}

// TestWhatIsReadTogetherHasASize: where it is enough for a disk, it ends; what is
// large is read alone, and so is what is of no plain elements.
func TestWhatIsReadTogetherHasASize(t *testing.T) {
	root, fresh := new(trackable.Node), new(trackable.Node)
	for i, mib := range []int64{1, 1, 1, 5, 1, 20, 0} {
		name := fmt.Sprintf("v%d", i)
		n := mib << 20 / 4
		root.Track(name, trackable.NewVariable("", tensor.Shape{n}, make([]float32, n)))
		fresh.Track(name, trackable.NewVariable("", tensor.Shape{n}, make([]float32, n)))
	}
	root.Track("words", &trackable.StringVariable{Value: []string{"w"}})
	fresh.Track("words", &trackable.StringVariable{Value: []string{""}})
	src := &together{gated: &gated{&verifying{memory: saved(t, root)}, func(string) {}}}
	key := func(i int) string { return fmt.Sprintf("v%d/.ATTRIBUTES/VARIABLE_VALUE", i) }
	restored(t, fresh, src, &trackable.RestoreOptions{StageLimit: -1})
	found := map[string]bool{}
	for _, b := range src.batches {
		found[strings.Join(b, " ")] = true
	}
	want := map[string]bool{key(0) + " " + key(1): true, key(2) + " " + key(3): true}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("read together: %q, want %v", src.batches, want)
	}
}

func TestDamageAmongWhatIsReadTogetherNamesItsObject(t *testing.T) {
	for name, o := range ways {
		for _, damage := range []error{&format.CorruptError{Part: "data", Tensor: rowKey(7)}, errBadStamp} {
			src := &together{gated: gatedRow(t, 20, func(string) {})}
			src.broken[rowKey(7)] = damage
			root, all := row(20, 100)
			_, err := trackable.Restore(root, src, o)
			var e *trackable.OverwrittenError
			inPlace := o != nil && o.InPlace
			if !errors.Is(err, damage) || errors.As(err, &e) != inPlace {
				t.Errorf("%s: Restore = %v, want %v", name, err, damage)
			}
			if inPlace && len(e.Tensors) != 20 {
				t.Errorf("%s: overwritten: %q, want all", name, e.Tensors)
			}
			if inPlace && damage != errBadStamp && !strings.HasPrefix(err.Error(), "(root).v07: "+rowKey(7)) {
				t.Errorf("%s: Restore = %v, want the object named", name, err)
			}
			for i, v := range all {
				if !inPlace {
					wantValue(t, rowKey(i), v, float32(100+i))
				}
			}
		}
	}
}

// TestWhatHasNoMemoryYetIsReadTogetherToo.
func TestWhatHasNoMemoryYetIsReadTogetherToo(t *testing.T) {
	stored := trackable.NewList(trackable.NewVariable("", tensor.Shape{2}, []bool{true, false}), trackable.NewVariable("", tensor.Shape{1}, []bool{true}))
	src := &together{gated: &gated{&verifying{memory: saved(t, stored)}, func(string) {}}}
	a, b := &trackable.Variable[bool]{}, &trackable.Variable[bool]{}
	restored(t, trackable.NewList(a, b), src, nil)
	got, want := [][]bool{a.Value, b.Value}, [][]bool{{true, false}, {true}}
	if !reflect.DeepEqual(got, want) || len(src.batches) != 1 {
		t.Errorf("restored %v by %q, want %v by one", got, src.batches, want)
	}
}
