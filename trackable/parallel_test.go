package trackable_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// gated is a Source whose readings a test holds up.
type gated struct {
	*verifying
	before func(name string)
}

func (g *gated) Tensor(name string) (tensor.Tensor, error) {
	g.before(name)
	return g.memory.Tensor(name)
}

func (g *gated) ReadInto(name string, dst []byte) error {
	g.before(name)
	if err := g.broken[name]; err != nil {
		return err
	}
	return g.verifying.ReadInto(name, dst)
}

func (g *gated) Verify(name string) error {
	g.before(name)
	return g.verifying.Verify(name)
}

// row returns n variables v00, v01 ... of one number each, first and following.
func row(n int, first float32) (*trackable.Node, []*trackable.Variable[float32]) {
	root, all := new(trackable.Node), make([]*trackable.Variable[float32], n)
	for i := range all {
		all[i] = vector(first + float32(i))
		root.Track(fmt.Sprintf("v%02d", i), all[i])
	}
	return root, all
}

func rowKey(i int) string { return fmt.Sprintf("v%02d%s", i, value) }

func gatedRow(t *testing.T, n int, before func(name string)) *gated {
	root, _ := row(n, 1)
	return &gated{&verifying{memory: saved(t, root)}, before}
}

// ways are the three ways to read: held, twice, and in place.
var ways = map[string]*trackable.RestoreOptions{"staged": nil, "in two passes": {StageLimit: -1}, "in place": {InPlace: true}}

func TestTensorsAreReadSeveralAtOnceInFileOrder(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			const atOnce = 8
			var mu sync.Mutex
			var begun []string
			several := make(chan struct{})
			src := gatedRow(t, 20, func(name string) {
				if name == trackable.GraphKey {
					return
				}
				mu.Lock()
				if begun = append(begun, name); len(begun) == atOnce {
					close(several)
				}
				mu.Unlock()
				<-several
			})
			slices.Reverse(src.names)
			root, all := row(20, 0)
			restored(t, root, src, o)
			for i, v := range all {
				wantValue(t, rowKey(i), v, float32(1+i))
			}
			first := begun[:atOnce]
			slices.Sort(first)
			if want := []string{rowKey(12), rowKey(13), rowKey(14), rowKey(15), rowKey(16), rowKey(17), rowKey(18), rowKey(19)}; !slices.Equal(first, want) {
				t.Errorf("read first: %q, want the first of the file, %q", first, want)
			}
		})
	}
}

func TestOfSeveralDamagedTensorsTheFirstIsTold(t *testing.T) {
	for name, o := range ways {
		t.Run(name, func(t *testing.T) {
			later := make(chan struct{}) // closed when the second damaged one was read
			src := gatedRow(t, 20, func(name string) {
				switch name {
				case rowKey(7):
					<-later
				case rowKey(8):
					close(later)
				}
			})
			for _, i := range []int{7, 8, 15} {
				src.broken[rowKey(i)] = &format.CorruptError{Part: "data", Tensor: rowKey(i)}
			}
			root, all := row(20, 100)
			_, err := trackable.Restore(root, src, o)
			var damage *format.CorruptError
			if !errors.As(err, &damage) || damage.Tensor != rowKey(7) {
				t.Errorf("Restore = %v, want damage to %s", err, rowKey(7))
			}
			for i, v := range all {
				if o == nil || !o.InPlace {
					wantValue(t, rowKey(i), v, float32(100+i))
				}
			}
		})
	}
}

func TestARestoreInPlaceReadsOnceAndNamesWhatItHasOverwritten(t *testing.T) {
	src := gatedRow(t, 6, func(string) {})
	root, all := row(6, 100)
	o := &trackable.RestoreOptions{InPlace: true}
	restored(t, root, src, o)
	if len(src.verified) != 0 || len(src.into) != 6 || src.reads[rowKey(0)] != 0 {
		t.Errorf("verified %q, read into %q, read %v, want each read into place once", src.verified, src.into, src.reads)
	}
	src.broken[rowKey(2)] = format.ErrCorrupt
	for i, v := range all {
		v.Value[0] = float32(100 + i)
	}
	_, err := trackable.Restore(root, src, o)
	var e *trackable.OverwrittenError
	if !errors.As(err, &e) || !errors.Is(err, format.ErrCorrupt) {
		t.Fatalf("Restore = %v, want an *OverwrittenError and ErrCorrupt", err)
	}
	for i, v := range all {
		named := slices.Contains(e.Tensors, rowKey(i))
		if changed := v.Value[0] != float32(100+i); changed && !named {
			t.Errorf("%s has changed, and is not among %q", rowKey(i), e.Tensors)
		}
		if i <= 2 && !named {
			t.Errorf("%s is before the damage, and not among %q", rowKey(i), e.Tensors)
		}
	}
}

func TestARestoreInPlaceVerifiesFirstWhatItCannotReadInPlace(t *testing.T) {
	s := &stamp{"new"}
	src := &gated{&verifying{memory: saved(t, tree("a", scalar(1), "s", trackable.State(s)))}, func(string) {}}
	src.broken["s/.ATTRIBUTES/py_state"] = format.ErrCorrupt
	a := scalar(7)
	_, err := trackable.Restore(tree("a", a, "s", trackable.State(&stamp{"old"})), src, &trackable.RestoreOptions{InPlace: true})
	var e *trackable.OverwrittenError
	if !errors.Is(err, format.ErrCorrupt) || errors.As(err, &e) {
		t.Errorf("Restore = %v, want ErrCorrupt and nothing overwritten", err)
	}
	wantValue(t, "a", a, 7)
	src.broken, src.memory.broken = nil, nil
	src.set("s/.ATTRIBUTES/py_state", text("")) // which it refuses
	if _, err := trackable.Restore(tree("a", a, "s", trackable.State(&stamp{"old"})), src, &trackable.RestoreOptions{InPlace: true}); !errors.Is(err, errBadStamp) {
		t.Errorf("Restore = %v, want the stamp's error", err)
	}
	wantValue(t, "a", a, 7)
}

func TestWhenTheSecondReadingFailsTheErrorNamesWhatHasChanged(t *testing.T) {
	src := gatedRow(t, 3, func(string) {})
	second := &secondFails{src, rowKey(1)}
	root, _ := row(3, 100)
	_, err := trackable.Restore(root, second, &trackable.RestoreOptions{StageLimit: -1})
	var e *trackable.OverwrittenError
	if !errors.As(err, &e) || !errors.Is(err, format.ErrCorrupt) || !slices.Contains(e.Tensors, rowKey(1)) {
		t.Errorf("Restore = %v, want an *OverwrittenError that names %s", err, rowKey(1))
	}
}

// secondFails is sound when it is verified and no longer when it is read.
type secondFails struct {
	*gated
	name string
}

func (s *secondFails) ReadInto(name string, dst []byte) error {
	if name == s.name {
		return format.ErrCorrupt
	}
	return s.gated.ReadInto(name, dst)
}

// Two variables may be views of one array; the last bound wins, as ever.
func TestVariablesThatShareMemoryAreRestoredOneByOne(t *testing.T) {
	for name, o := range ways {
		array := make([]float32, 3)
		a, b := trackable.NewVariable("", tensor.Shape{2}, array[:2]), trackable.NewVariable("", tensor.Shape{2}, array[1:])
		src := &gated{&verifying{memory: saved(t, tree("a", vector(1, 2), "b", vector(3, 4)))}, func(string) {}}
		slices.Reverse(src.names)
		restored(t, tree("a", a, "b", b), src, o)
		if want := []float32{1, 3, 4}; !slices.Equal(array, want) {
			t.Errorf("%s: array = %v, want %v", name, array, want)
		}
	}
}

// A Source that can only return whole tensors fills the memory with one of those
// that are not held, not with one for each reader.
func TestWhatDoesNotFitIsReadOneAtATime(t *testing.T) {
	root, _ := row(20, 1)
	src := &onlyTensors{memory: saved(t, root)}
	target, all := row(20, 0)
	restored(t, target, src, &trackable.RestoreOptions{StageLimit: -1})
	if src.most != 1 {
		t.Errorf("%d tensors were read at once, want one", src.most)
	}
	wantValue(t, "the last", all[19], 20)
}

type onlyTensors struct {
	*memory
	mu        sync.Mutex
	now, most int
}

func (s *onlyTensors) Tensor(name string) (tensor.Tensor, error) {
	s.count(1)
	defer s.count(-1)
	for range 100 {
		runtime.Gosched() // to whoever would read too
	}
	return s.memory.Tensor(name)
}

func (s *onlyTensors) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func TestAnOverwrittenErrorListsTheFirstFew(t *testing.T) {
	err := &trackable.OverwrittenError{Tensors: make([]string, 12), Err: errBadStamp}
	for i := range err.Tensors {
		err.Tensors[i] = fmt.Sprint(i)
	}
	if got, want := err.Error(), "bad stamp; overwritten already: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
}
