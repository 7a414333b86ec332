package tensorbundle_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

var oneShard = tfproto.BundleHeader{NumShards: 1, Version: &tfproto.VersionDef{Producer: 1}}

// craft makes an index that WriteIndex would not.
func craft(t testing.TB, header tfproto.BundleHeader, entries map[string]tfproto.BundleEntry) bundle {
	t.Helper()
	var b bytes.Buffer
	w := table.NewWriter(&b)
	if err := w.Add(nil, header.Marshal()); err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if err := w.Add([]byte(key), entries[key].Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bundle{index: b.Bytes(), data: [][]byte{make([]byte, 16)}}
}

// craftRaw makes an index of a tensor p and its slice 0,2, as they are given.
func craftRaw(t testing.TB, whole, part []byte) bundle {
	t.Helper()
	var b bytes.Buffer
	w := table.NewWriter(&b)
	err := errors.Join(
		w.Add(nil, oneShard.Marshal()),
		w.Add([]byte(orderedcode.SliceKey("p", []int64{0}, []int64{2})), part),
		w.Add([]byte("p"), whole),
		w.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	return bundle{index: b.Bytes(), data: make([][]byte, 1)}
}

func entry(d tensor.DType, size int64, dims ...int64) tfproto.BundleEntry {
	return tfproto.BundleEntry{DType: int32(d), Shape: tfproto.TensorShape{Dims: dims}, Size: size, CRC32C: 0xa282ead8}
}

func slice(start, length int64) tfproto.TensorSlice {
	return tfproto.TensorSlice{Start: []int64{start}, Length: []int64{length}}
}

// all reads everything a bundle holds, in every way there is, which must agree.
func all(b bundle) (map[string]tensor.Tensor, error) {
	r, err := b.open()
	if err != nil {
		return nil, err
	}
	m := map[string]tensor.Tensor{}
	for _, name := range r.Names() {
		x, err := r.Tensor(name)
		if verr := r.Verify(name); (verr == nil) != (err == nil) {
			return nil, errors.Join(errors.New("Tensor and Verify disagree"), err, verr)
		}
		if err != nil {
			return nil, errors.Join(err, sameTogether(r, nil, err))
		}
		m[name] = x
	}
	return m, errors.Join(sameTogether(r, m, nil), r.Layout(io.Discard))
}

// victim is a small bundle with a tensor of each kind.
func victim(t testing.TB) bundle {
	t.Helper()
	words, err := tensor.FromStrings(tensor.Shape{2}, []string{"one", ""})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tensor.FromVariants(nil, []string{"raw"})
	if err != nil {
		t.Fatal(err)
	}
	part := func(spec string, elems ...float32) format.Named {
		n := int64(len(elems))
		return format.Named{Name: "part", Tensor: f32(t, tensor.Shape{n}, elems...), Slice: parseSlice(t, spec), Full: tensor.Shape{3}}
	}
	return write(t,
		[]format.Named{{Name: "kernel", Tensor: f32(t, tensor.Shape{2}, 1, 2)}, {Name: "words", Tensor: words}, part("0,1", 3)},
		[]format.Named{part("1,2", 4, 5), {Name: "none", Tensor: f32(t, tensor.Shape{0})}, {Name: "raw", Tensor: raw}})
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	good := victim(t)
	for i := range len(good.index) + len(good.data[0]) + len(good.data[1]) {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			if got, err := all(good.flip(i, mask)); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("byte %d flipped by %x: %v, %v", i, mask, got, err)
			}
		}
	}
}

// flip returns b with one byte changed, counted through all its files.
func (b bundle) flip(i int, mask byte) bundle {
	f := bundle{slices.Clone(b.index), slices.Clone(b.data)}
	if i < len(f.index) {
		f.index[i] ^= mask
		return f
	}
	i -= len(f.index)
	for shard, data := range f.data {
		if i < len(data) {
			f.data[shard] = slices.Clone(data)
			f.data[shard][i] ^= mask
			break
		}
		i -= len(data)
	}
	return f
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	good := victim(t)
	for n := range good.index {
		if _, err := (bundle{good.index[:n], good.data}).open(); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("index of %d bytes: %v", n, err)
		}
	}
	for shard, data := range good.data {
		for n := range data {
			cut := bundle{good.index, slices.Clone(good.data)}
			cut.data[shard] = data[:n]
			if _, err := all(cut); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("shard %d of %d bytes: %v", shard, n, err)
			}
		}
	}
}

func TestDamageIsOneSentence(t *testing.T) {
	b := write(t, []format.Named{{Name: "model/kernel/.ATTRIBUTES/VARIABLE_VALUE", Tensor: f32(t, tensor.Shape{2, 3}, 0, 1, 2, 3, 4, 5)}})
	at := len(b.index) + 7
	_, err := all(b.flip(at, 0xff))
	want := "model/kernel/.ATTRIBUTES/VARIABLE_VALUE in data-00000-of-00001 at byte 0 (24 bytes): crc32c is e077a76d, index says 78743a5d"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	b.data[0] = b.data[0][:23]
	_, err = all(b)
	want = "model/kernel/.ATTRIBUTES/VARIABLE_VALUE in data-00000-of-00001 at byte 0 (24 bytes): the file ends at byte 23"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestHostileIndexesAreDescribed(t *testing.T) {
	const huge = 1 << 60
	key := func(start, length int64) string {
		return orderedcode.SliceKey("p", []int64{start}, []int64{length})
	}
	whole := func(full int64, list ...tfproto.TensorSlice) tfproto.BundleEntry {
		return tfproto.BundleEntry{DType: 1, Shape: tfproto.TensorShape{Dims: []int64{full}}, Slices: list}
	}
	type entries = map[string]tfproto.BundleEntry
	for _, c := range []struct {
		want    string
		entries entries
	}{
		{"a in data-00000-of-00001 at byte 0 (1152921504606846976 bytes): the file ends at byte 16", entries{"a": entry(tensor.Uint8, huge, huge)}},
		{"a in data-00000-of-00001 at byte 0 (1152921504606846976 bytes): the file ends at byte 16", entries{"a": entry(tensor.String, huge, 3)}},
		{"invalid size: stored size 8, expected size 4", entries{"a": entry(tensor.Float32, 8)}},
		{"invalid size: stored size 8, shape [1152921504606846976] takes more", entries{"a": entry(tensor.Complex128, 8, huge)}},
		{"invalid size: stored size 4, expected size is at least 1152921504606846976", entries{"a": entry(tensor.String, 4, huge)}},
		{"invalid tensor shape: shape [-1]: dimension 0 is negative", entries{"a": entry(tensor.Float32, 4, -1)}},
		{"invalid tensor shape: shape of 255 dimensions", entries{"a": entry(tensor.Float32, 4, make([]int64, 255)...)}},
		{"invalid tensor shape", entries{"a": entry(tensor.Float32, 4, huge, huge)}},
		{"-4 bytes at byte 0", entries{"a": entry(tensor.Invalid, -4)}},
		{"bytes at byte 9223372036854775807", entries{"a": {DType: 1, Size: 4, Offset: 1<<63 - 1}}},
		{"a in index at byte 0 (29 bytes): shard 7 of 1", entries{"a": {DType: 1, Size: 4, ShardID: 7}}},
		{"shard -1 of 1", entries{"a": {DType: 1, Size: 4, ShardID: -1}}},
		{"the elements run past the end", entries{"a": entry(tensor.String, 4, 4)}},
		{"the length checksum does not match: crc32c is 8c28b28a, file says 8a942ebe", entries{"a": entry(tensor.String, 8, 2)}},
		{"the elements run past the end", entries{"a": entry(tensor.Variant, 4, 2)}},
		{"p in index at byte 0 (35 bytes): slice 0,2 is missing", entries{"p": whole(4, slice(0, 2))}},
		{"slice 3,2: outside", entries{"p": whole(4, slice(3, 2))}},
		{"slice 0,2 is there twice", entries{"p": whole(4, slice(0, 2), slice(0, 2)), key(0, 2): entry(1, 8, 2)}},
		{"slice 0,2 is float64 [2], expected float32 [2]", entries{"p": whole(4, slice(0, 2)), key(0, 2): entry(2, 16, 2)}},
		{"slice 0,2 is float32 [1], expected float32 [2]", entries{"p": whole(4, slice(0, 2)), key(0, 2): entry(1, 4, 1)}},
		{"p in index at byte 0 (105 bytes): invalid size: the slices have more bytes than an int64 counts", entries{
			"p":       {DType: int32(tensor.String), Shape: tfproto.TensorShape{Dims: []int64{4}}, Slices: []tfproto.TensorSlice{slice(0, 2), slice(2, 2)}},
			key(0, 2): entry(tensor.String, 1<<62, 2), key(2, 2): entry(tensor.String, 1<<62, 2),
		}},
		{"an element of 1125899906842624 bytes does not fit", entries{"large": entry(tensor.Variant, 16, 1)}},
		{"12 bytes are left over", entries{"large": entry(tensor.Variant, 12, 0)}},
		{"p in index at byte 0: overlapping slices: existing slice = 0,2, new slice = 1,2",
			entries{"p": whole(4, slice(0, 2), slice(1, 2)), key(0, 2): entry(1, 8, 2), key(1, 2): entry(1, 8, 2)}},
		{"not sufficient slices to restore slice 0,4: they hold 2 of its 4 elements", entries{"p": whole(4, slice(0, 2)), key(0, 2): entry(1, 8, 2)}},
		{"they hold 2 of its 1152921504606846976 elements", entries{"p": whole(huge, slice(0, 2)), key(0, 2): entry(1, 8, 2)}},
	} {
		b := craft(t, oneShard, c.entries)
		if _, large := c.entries["large"]; large {
			binary.PutUvarint(b.data[0], 1<<50)
		}
		_, err := all(b)
		if !errors.Is(err, format.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want %q", err, c.want)
		}
	}
}

func TestStringsMustFillTheirEntry(t *testing.T) {
	b := craft(t, oneShard, map[string]tfproto.BundleEntry{"a": entry(tensor.String, 8, 2)})
	sum := crc32c.Mask(crc32c.Update(0, make([]byte, 8)))
	b.data[0] = append(binary.LittleEndian.AppendUint32([]byte{0, 0}, sum), 0, 0)
	if _, err := all(b); !errors.Is(err, format.ErrCorrupt) || !strings.Contains(err.Error(), "the lengths say 6 bytes") {
		t.Errorf("error is %v", err)
	}
}

// Two lengths whose sum overflows to what the entry has.
func TestLengthsMayNotOverflow(t *testing.T) {
	lengths := []uint64{1 << 63, 1<<63 + 3}
	var data, fixed []byte
	for _, l := range lengths {
		data = binary.AppendUvarint(data, l)
		fixed = binary.LittleEndian.AppendUint64(fixed, l)
	}
	data = binary.LittleEndian.AppendUint32(data, crc32c.Mask(crc32c.Update(0, fixed)))
	data = append(data, "abc"...)
	b := craft(t, oneShard, map[string]tfproto.BundleEntry{"a": entry(tensor.String, int64(len(data)), 2)})
	b.data[0] = data
	if _, err := all(b); !errors.Is(err, format.ErrCorrupt) || !strings.Contains(err.Error(), "an element of 9223372036854775808 bytes does not fit") {
		t.Errorf("error is %v", err)
	}
}

func TestDamageToAVariantNamesTheElement(t *testing.T) {
	raw, err := tensor.FromVariants(tensor.Shape{2}, []string{"raw", "more"})
	if err != nil {
		t.Fatal(err)
	}
	b := write(t, []format.Named{{Name: "v", Tensor: raw}})
	_, err = all(b.flip(len(b.index)+10, 1))
	if want := "the checksum after variant 1 does not match: crc32c is "; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q", err, want)
	}
}

func TestBigEndianVariantsAreUnsupported(t *testing.T) {
	big := oneShard
	big.Endianness = tfproto.Big
	if _, err := all(craft(t, big, map[string]tfproto.BundleEntry{"a": entry(tensor.Variant, 12, 1)})); !errors.Is(err, format.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
}

func TestAnUnknownRankIsThatOfTheDimensions(t *testing.T) {
	for _, shape := range []tensor.Shape{{}, {2, 3}} {
		n, err := shape.NumElements()
		if err != nil {
			t.Fatal(err)
		}
		e := entry(tensor.Uint8, n, shape...)
		e.Shape.UnknownRank = true
		e.CRC32C = crc32c.Mask(crc32c.Update(0, make([]byte, n)))
		m, err := all(craft(t, oneShard, map[string]tfproto.BundleEntry{"a": e}))
		if err != nil || !m["a"].Shape().Equal(shape) {
			t.Errorf("%v read as %v, %v", shape, m["a"].Shape(), err)
		}
	}
}

// A small file whose slices all lie on the same bytes claims a large tensor.
func TestSlicesOnTheSameBytesAllocateNothing(t *testing.T) {
	const parts, size = 1000, 1 << 20
	whole := entry(tensor.Uint8, 0, parts*size)
	entries := map[string]tfproto.BundleEntry{}
	for i := range int64(parts) {
		whole.Slices = append(whole.Slices, slice(i*size, size))
		entries[orderedcode.SliceKey("p", []int64{i * size}, []int64{size})] = entry(tensor.Uint8, size, size)
	}
	entries["p"] = whole
	b := craft(t, oneShard, entries)
	b.data[0] = make([]byte, size)
	r := b.mustOpen(t)
	got := allocated(func() {
		if _, err := r.Tensor("p"); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("Tensor = %v, want ErrCorrupt", err)
		}
	})
	if got > 10<<20 {
		t.Errorf("allocated %d bytes for files of %d", got, len(b.index)+size)
	}
}

// sparse is a file that claims to be larger than memory can be.
type sparse struct{ io.ReaderAt }

func TestMoreThanMemoryIsRefused(t *testing.T) {
	const huge = 1 << 60
	b := craft(t, oneShard, map[string]tfproto.BundleEntry{"bytes": entry(tensor.Uint8, huge, huge), "strings": entry(tensor.String, huge, huge), "one": entry(tensor.String, huge, 1)})
	r, err := tensorbundle.NewReader(bytes.NewReader(b.index), int64(len(b.index)), func(int, int) (io.ReaderAt, int64, error) {
		return sparse{bytes.NewReader(nil)}, huge, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range r.Names() {
		if _, err := r.Tensor(name); !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("Tensor(%s) = %v, want ErrUnsupported", name, err)
		}
	}
}

// TensorFlow reads a string tensor without elements that has no bytes either.
func TestStringsWithoutElementsNeedNoBytes(t *testing.T) {
	for dtype, want := range map[tensor.DType]int{tensor.String: 0, tensor.Variant: 0} {
		m, err := all(craft(t, oneShard, map[string]tfproto.BundleEntry{"a": entry(dtype, 0, 0, 3)}))
		if err != nil || m["a"].NumElements() != int64(want) || !m["a"].Shape().Equal(tensor.Shape{0, 3}) {
			t.Errorf("%v: %v, %v", dtype, m, err)
		}
	}
}

func TestHeadersAreChecked(t *testing.T) {
	version := func(v tfproto.VersionDef) tfproto.BundleHeader {
		return tfproto.BundleHeader{NumShards: 1, Version: &v}
	}
	for _, c := range []struct {
		header tfproto.BundleHeader
		is     error
		want   string
	}{
		{tfproto.BundleHeader{NumShards: 1}, nil, ""},
		{tfproto.BundleHeader{}, format.ErrCorrupt, "says 0 shards"},
		{tfproto.BundleHeader{NumShards: 1, Endianness: 2}, format.ErrCorrupt, "byte order 2"},
		{version(tfproto.VersionDef{Producer: -1}), format.ErrUnsupported, "producer version -1 is below 0"},
		{version(tfproto.VersionDef{Producer: 9}), nil, ""},
		{version(tfproto.VersionDef{MinConsumer: 2}), format.ErrUnsupported, "min consumer version 2 is above 1"},
		{version(tfproto.VersionDef{BadConsumers: []int32{3, 1}}), format.ErrUnsupported, "disallows consumer version 1"},
	} {
		_, err := craft(t, c.header, nil).open()
		if !errors.Is(err, c.is) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: NewReader = %v, want %v, %q", c.header, err, c.is, c.want)
		}
	}
}

func TestTablesThatAreNoBundleAreRefused(t *testing.T) {
	for want, keys := range map[string][]string{"no bundle header": nil, "the first key is not empty": {"a"}} {
		var b bytes.Buffer
		w := table.NewWriter(&b)
		for _, k := range keys {
			if err := w.Add([]byte(k), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := (bundle{index: b.Bytes()}).open(); !errors.Is(err, format.ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("NewReader = %v, want %q", err, want)
		}
	}
	var v1 bytes.Buffer
	w := table.NewWriter(&v1)
	meta := tfproto.SavedTensorSlices{Meta: &tfproto.SavedTensorSliceMeta{Versions: &tfproto.VersionDef{Producer: 1}}}
	if err := errors.Join(w.Add(nil, meta.Marshal()), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := (bundle{index: v1.Bytes()}).open(); !errors.Is(err, format.ErrUnsupported) || !strings.Contains(err.Error(), "V1") {
		t.Errorf("NewReader(V1) = %v", err)
	}
}

func TestUnknownDTypesAreListedNotRead(t *testing.T) {
	r := craft(t, oneShard, map[string]tfproto.BundleEntry{
		"new": entry(77, 4, 3), "resource": entry(tensor.Resource, 4), "known": entry(tensor.Uint8, 0, 0),
	}).mustOpen(t)
	if got := len(r.Names()); got != 3 {
		t.Errorf("%d names, want 3", got)
	}
	for _, name := range []string{"new", "resource"} {
		info, err := r.Info(name)
		if err != nil || info.DType.Valid() {
			t.Errorf("Info(%s) = %v, %v", name, info, err)
		}
		if _, err := r.Tensor(name); !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("Tensor(%s) = %v", name, err)
		}
		if err := r.Verify(name); !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("Verify(%s) = %v", name, err)
		}
	}
}

func TestAnIOErrorIsNotCorruption(t *testing.T) {
	b := victim(t)
	for _, fail := range []error{fs.ErrPermission, fs.ErrClosed} {
		r, err := tensorbundle.NewReader(bytes.NewReader(b.index), int64(len(b.index)), func(int, int) (io.ReaderAt, int64, error) {
			return failing{fail}, 1000, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range r.Names() {
			if name == "none" {
				continue // has no bytes
			}
			if _, err := r.Tensor(name); !errors.Is(err, fail) || errors.Is(err, format.ErrCorrupt) || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("Tensor(%s) = %v, want %v", name, err, fail)
			}
		}
	}
	b.data = nil
	if _, err := all(b); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, format.ErrCorrupt) {
		t.Errorf("without data files: %v", err)
	}
}

// failing is a file on a disk that fails.
type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestClaimsAllocateNothing(t *testing.T) {
	const huge = 1 << 40
	b := craft(t, oneShard, map[string]tfproto.BundleEntry{
		"bytes": entry(tensor.Uint8, huge, huge), "strings": entry(tensor.String, huge, huge), "variants": entry(tensor.Variant, huge, huge),
	})
	b.data[0] = bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 20)
	got := allocated(func() {
		r := b.mustOpen(t)
		for _, name := range r.Names() {
			if _, err := r.Tensor(name); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("Tensor(%s) = %v", name, err)
			}
		}
	})
	if got > 1<<20 {
		t.Errorf("allocated %d bytes for a file of %d", got, len(b.index))
	}
}
