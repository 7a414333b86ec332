package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// verifyWith returns what VerifyWith tells of a checkpoint, and returns.
func verifyWith(t *testing.T, dir storage.Dir, path string, o VerifyOptions) ([]Verified, error) {
	t.Helper()
	r, err := Load(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	var told []Verified
	o.Visit = func(v Verified) { told = append(told, v) }
	err = r.VerifyWith(background(), &o)
	return told, closing(r, err)
}

// TestEveryDepthPassesWhatTensorFlowWrote looks at all golden files.
func TestEveryDepthPassesWhatTensorFlowWrote(t *testing.T) {
	n := 0
	for _, root := range []string{"testdata/tf", "../format/tensorbundle/testdata/tf", "../format/tensorslice/testdata/tf"} {
		err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			dir := local.Dir(p)
			list, err := List(background(), dir, nil)
			if err != nil {
				return err
			}
			for _, l := range list {
				for _, depth := range []Depth{DepthChecksums, DepthQuick, DepthDeep} {
					if !l.Complete {
						continue
					}
					n++
					if _, err := verifyWith(t, dir, l.Path, VerifyOptions{Depth: depth}); err != nil && !errors.Is(err, format.ErrUnsupported) {
						t.Errorf("%s/%s: depth %d: %v", p, l.Path, depth, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 100 {
		t.Errorf("verified %d, want at least 100", n)
	}
}

func TestADeepVerificationCountsWhatIsNoNumber(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	dir := mem.Dir()
	big := make([]float32, 1<<18) // several pieces
	big[200_000], big[200_001], big[7] = nan, inf, inf
	write(t, dir, "m", Objects{
		"big": of(t, tensor.Shape{1 << 18}, big...), "good": floats(t, 3), "bad": of(t, tensor.Shape{2, 2}, 1, nan, 2, nan), "s": text(t, "nan"),
	}, nil)
	told, err := verifyWith(t, dir, "m", VerifyOptions{Depth: DepthDeep})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]tensor.NonFinite{}
	for _, v := range told {
		if v.NonFinite != (tensor.NonFinite{}) {
			got[strings.TrimSuffix(v.Name, "/.ATTRIBUTES/VARIABLE_VALUE")] = v.NonFinite
		}
	}
	want := map[string]tensor.NonFinite{"big": {NaN: 1, Inf: 2, First: 7}, "bad": {NaN: 2, First: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("VerifyWith(deep) = %+v, want %+v", got, want)
	}
	// Of slices the index is that in the whole.
	values := make([]float32, 12)
	values[10], values[7] = nan, inf
	whole := Objects{"big": of(t, tensor.Shape{4, 3}, values...)}
	writeSliced(t, dir, whole, 2)
	told, err = verifyWith(t, dir, "m", VerifyOptions{Depth: DepthDeep})
	i := slices.IndexFunc(told, func(v Verified) bool { return strings.HasPrefix(v.Name, "big/") })
	if err != nil || told[i].NonFinite != (tensor.NonFinite{NaN: 1, Inf: 1, First: 7}) {
		t.Errorf("VerifyWith(deep) of slices = %+v, %v", told, err)
	}
}

// TestTheFirstOfSlicesIsTheFirstOfTheWhole, though another slice was read
// before the one that it is in.
func TestTheFirstOfSlicesIsTheFirstOfTheWhole(t *testing.T) {
	inf := float32(math.Inf(1))
	whole := of(t, tensor.Shape{2, 2}, 1, inf, inf, 4).t
	dir := mem.Dir()
	mustTeam(t, 2, func(g coordinator.Group) error { // a column each
		region := &tensor.Slice{Start: []int64{0, int64(g.Rank())}, Length: []int64{2, 1}}
		value, err := whole.Slice(*region)
		if err != nil {
			return err
		}
		big := &piece{stored{value}, region, whole.Shape()}
		return New(nil, Objects{"big": big}, &Options{Workers: g}).Write(background(), dir, "m")
	})
	told, err := verifyWith(t, dir, "m", VerifyOptions{Depth: DepthDeep})
	i := slices.IndexFunc(told, func(v Verified) bool { return strings.HasPrefix(v.Name, "big/") })
	if err != nil || told[i].NonFinite != (tensor.NonFinite{Inf: 2, First: 1}) {
		t.Errorf("VerifyWith(deep) = %+v, %v, want 2 infinite, the first at 1", told, err)
	}
}

func TestElementsOfRegionsHaveTheirIndexInTheWhole(t *testing.T) {
	whole := of(t, tensor.Shape{3, 4, 2}, slices.Collect(func(yield func(int32) bool) {
		for i := int32(0); i < 24 && yield(i); i++ {
		}
	})...).t
	for _, spec := range []string{"-:-:-", "1,2:-:-", "0,3:1,2:-", "2,1:3,1:1,1"} {
		s, err := tensor.ParseSlice(spec)
		if err != nil {
			t.Fatal(err)
		}
		region, err := s.Resolve(whole.Shape())
		if err != nil {
			t.Fatal(err)
		}
		part, err := whole.Slice(region)
		if err != nil {
			t.Fatal(err)
		}
		elems, err := tensor.Elements[int32](part)
		for i, want := range elems {
			if got := inWhole(whole.Shape(), region, int64(i)); got != int64(want) || err != nil {
				t.Errorf("inWhole(%s, %d) = %d, want %d", spec, i, got, want)
			}
		}
	}
}

// TestPartsTogetherReadEachTensorOnce, and what is damaged is found by one.
func TestPartsTogetherReadEachTensorOnce(t *testing.T) {
	v := large(t)
	names := load(t, v.dir, "m").Names()
	file := dataNames(t, v.dir, "m")[0]
	for _, parts := range []int{1, 2, 7} {
		for _, damaged := range []bool{false, true} {
			if damaged {
				flip(t, v.dir, file, 0, 0)
			}
			seen, found := map[string]int{}, 0
			for part := 1; part <= parts; part++ {
				told, err := verifyWith(t, v.dir, "m", VerifyOptions{Part: part, Parts: parts})
				if err != nil {
					found++
				}
				for _, one := range told {
					if one.Tensor {
						seen[one.Name]++
					}
				}
			}
			if len(seen) != len(names) || (found == 1) != damaged || found > 1 {
				t.Errorf("%d parts, damage %v: read %d tensors of %d, %d found it", parts, damaged, len(seen), len(names), found)
			}
			for name, n := range seen {
				if n != 1 {
					t.Errorf("%d parts: %s was read %d times", parts, name, n)
				}
			}
			v.mend(t)
		}
	}
}

// TestWhatNoTensorHasIsOfOnePart: bytes behind the tensors, which only the
// receipt's checksum of the whole file covers.
func TestWhatNoTensorHasIsOfOnePart(t *testing.T) {
	dir := mem.Dir()
	write(t, dir, "m", Objects{"a": floats(t, 4), "b": floats(t, 4)}, nil)
	file := dataOf("m")
	text := readFile(t, dir, file) + "more"
	lie(t, dir, "m", func(r *Receipt) { r.Files[0].Size += 4 })
	writeFile(t, dir, file, text)
	found := 0
	for part := 1; part <= 5; part++ {
		if _, err := verifyWith(t, dir, "m", VerifyOptions{Part: part, Parts: 5}); errors.Is(err, format.ErrCorrupt) {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d of 5 parts found it, want 1", found)
	}
}

// TestADeepVerificationComparesWholeFiles: also where all bytes belong to
// tensors, so that what the receipt says of a sum is held against it.
func TestADeepVerificationComparesWholeFiles(t *testing.T) {
	dir := twoGenerations(t)
	lie(t, dir, "ckpt-2", func(r *Receipt) { r.Files[0].CRC32C++ })
	for depth, want := range map[Depth]error{DepthQuick: nil, DepthChecksums: nil, DepthDeep: format.ErrCorrupt} {
		if _, err := verifyWith(t, dir, "ckpt-2", VerifyOptions{Depth: depth}); !errors.Is(err, want) {
			t.Errorf("depth %d: %v, want %v", depth, err, want)
		}
	}
}

// TestADeepVerificationReadsTheGraph of checkpoints whose graph names what is
// not there, or is none.
func TestADeepVerificationReadsTheGraph(t *testing.T) {
	for what, change := range map[string]func(x format.Named) (format.Named, bool){
		"whole":             func(x format.Named) (format.Named, bool) { return x, true },
		"a tensor is gone":  func(x format.Named) (format.Named, bool) { return x, !strings.HasPrefix(x.Name, "b/") },
		"no graph, by name": func(x format.Named) (format.Named, bool) { return x, x.Name != trackable.GraphKey },
		"the graph is none": func(x format.Named) (format.Named, bool) {
			if x.Name == trackable.GraphKey {
				x.Tensor = text(t, "\x0a\x02\x0a\x00\x0a").t
			}
			return x, true
		},
	} {
		from, to := mem.Dir(), mem.Dir()
		write(t, from, "m", Objects{"a": floats(t, 4), "b": floats(t, 4)}, nil)
		copyChanged(t, from, to, change)
		for _, depth := range []Depth{DepthQuick, DepthChecksums} {
			if _, err := verifyWith(t, to, "m", VerifyOptions{Depth: depth}); err != nil {
				t.Errorf("%s: depth %d: %v", what, depth, err)
			}
		}
		_, err := verifyWith(t, to, "m", VerifyOptions{Depth: DepthDeep})
		if wrong := what == "a tensor is gone" || what == "the graph is none"; errors.Is(err, format.ErrCorrupt) != wrong || err != nil && !wrong {
			t.Errorf("%s: VerifyWith(deep) = %v", what, err)
		}
		if what == "a tensor is gone" && err.Error() != "object graph: VARIABLE_VALUE of (root).b, b/.ATTRIBUTES/VARIABLE_VALUE, is not stored: corrupt" {
			t.Errorf("%s: VerifyWith(deep) = %v", what, err)
		}
	}
}

// copyChanged writes the tensors of m anew, some of them others, without a
// receipt.
func copyChanged(t *testing.T, from, to storage.Dir, change func(format.Named) (format.Named, bool)) {
	t.Helper()
	r := load(t, from, "m")
	var data, index bytes.Buffer
	w := tensorbundle.NewWriter(&data, 0)
	for _, name := range r.Names() {
		x, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if one, ok := change(format.Named{Name: name, Tensor: x}); ok {
			if err := w.Add(one); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tensorbundle.WriteIndex(&index, []tensorbundle.Shard{w.Shard()}); err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, dataOf("m"), data.String())
	writeFile(t, to, "m.index", index.String())
}

func TestManyWorkersTellInTheOrderOfOne(t *testing.T) {
	v := large(t)
	flip(t, v.dir, dataNames(t, v.dir, "m")[1], 100, 3)
	want, wantErr := verifyWith(t, v.dir, "m", VerifyOptions{Depth: DepthDeep, Workers: 1})
	got, err := verifyWith(t, v.dir, "m", VerifyOptions{Depth: DepthDeep, Workers: 8})
	if !reflect.DeepEqual(got, want) || err == nil || err.Error() != wantErr.Error() {
		t.Errorf("8 workers told %d things, %v, want the %d of one, %v", len(got), err, len(want), wantErr)
	}
}

// TestADeepVerificationHoldsLittle: not even one of the tensors.
func TestADeepVerificationHoldsLittle(t *testing.T) {
	dir := savedBig(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := verifyWith(t, dir, "big", VerifyOptions{Depth: DepthDeep, Workers: 4}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > bigElements*4 {
		t.Errorf("verifying %d tensors of %d bytes allocates %d bytes, want less than one tensor", bigTensors, bigElements*4, got)
	}
}

func TestAVerificationEndsWithItsContext(t *testing.T) {
	v := large(t)
	r := load(t, v.dir, "m")
	ctx, cancel := context.WithCancel(background())
	n := 0
	err := r.VerifyWith(ctx, &VerifyOptions{Workers: 3, Visit: func(one Verified) {
		if n++; one.Tensor {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || n > 20 {
		t.Errorf("VerifyWith() = %v after %d, want context.Canceled soon", err, n)
	}
}

func TestImpossibleVerificationsAreErrors(t *testing.T) {
	r := load(t, twoGenerations(t), "ckpt-1")
	for _, o := range []VerifyOptions{{Depth: -1}, {Depth: DepthDeep + 1}, {Part: 1}, {Parts: 2}, {Part: 3, Parts: 2}, {Part: -1, Parts: -1}} {
		if err := r.VerifyWith(background(), &o); err == nil {
			t.Errorf("VerifyWith(%+v) = nil, want an error", o)
		}
	}
	if err := r.VerifyWith(background(), nil); err != nil {
		t.Errorf("VerifyWith(nil) = %v", err)
	}
}
