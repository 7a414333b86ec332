package tfproto_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func yes(v bool) *bool { return &v }

// message is any of the package's messages.
type message interface {
	Marshal() []byte
}

// unmarshal returns a new message of m's type, read from b.
func unmarshal(m message, b []byte) (message, error) {
	p := reflect.New(reflect.TypeOf(m))
	err := p.Interface().(interface{ Unmarshal([]byte) error }).Unmarshal(b)
	return p.Elem().Interface().(message), err
}

// vectors are bytes from files of TensorFlow's.
var vectors = []struct {
	name string
	m    message
	hex  string
}{
	{"header of one shard", tfproto.BundleHeader{NumShards: 1, Version: &tfproto.VersionDef{Producer: 1}}, "08011a020801"},
	{"header of two shards", tfproto.BundleHeader{NumShards: 2, Version: &tfproto.VersionDef{Producer: 1}}, "08021a020801"},
	{"big-endian header", tfproto.BundleHeader{NumShards: 1, Endianness: tfproto.Big, Version: &tfproto.VersionDef{
		Producer: 2, MinConsumer: 1, BadConsumers: []int32{3, 300},
	}}, "0801 1001 1a09 0802 1001 1a03 03ac02"},
	{"scalar", tfproto.BundleEntry{DType: 1, Size: 4, CRC32C: 0x1f273806}, "08011200 2804 35 0638271f"},
	{"zero bytes", tfproto.BundleEntry{DType: 1, Shape: tfproto.TensorShape{Dims: []int64{0, 3}}, CRC32C: 0xa282ead8},
		"0801 1206 1200 12020803 35d8ea82a2"},
	{"halves by rows", tfproto.BundleEntry{DType: 1, Shape: tfproto.TensorShape{Dims: []int64{10, 100}}, Slices: []tfproto.TensorSlice{
		{Start: []int64{0, 0}, Length: []int64{5, 100}}, {Start: []int64{5, 0}, Length: []int64{5, 100}},
	}}, "0801 1208 1202080a 12020864 3a08 0a021005 0a021064 3a0a 0a0408051005 0a021064"},
	{"whole dimension", tfproto.BundleEntry{DType: 1, Shape: tfproto.TensorShape{Dims: []int64{4, 2}}, Slices: []tfproto.TensorSlice{
		{Start: []int64{1, 0}, Length: []int64{3, -1}},
	}}, "0801 1208 12020804 12020802 3a08 0a0408011003 0a00"},
	{"unknown rank", tfproto.BundleEntry{DType: 7, Shape: tfproto.TensorShape{UnknownRank: true}, ShardID: 3, Offset: 300}, "0807 1202 1801 1803 20ac02"},
	{"graph", tfproto.TrackableObjectGraph{Nodes: []tfproto.TrackableObject{
		{Children: []tfproto.ObjectReference{{NodeID: 1, LocalName: "v"}, {NodeID: 0, LocalName: "root"}}, HasCheckpointValues: yes(true)},
		{
			Attributes:          []tfproto.SerializedTensor{{Name: "N", FullName: "F", CheckpointKey: "K"}},
			SlotVariables:       []tfproto.SlotVariableReference{{OriginalVariableNodeID: 1, SlotName: "m", SlotVariableNodeID: 2}},
			RegisteredSaver:     &tfproto.RegisteredSaver{Name: "s", ObjectName: "o"},
			HasCheckpointValues: yes(false),
		},
		{},
	}}, `0a13 0a05 0801 120176 0a06 1204726f6f74 2a020801
		0a1e 1209 0a014e 120146 1a014b 1a07 0801 12016d 1802 2206 0a0173 12016f 2a00
		0a00`},
	{"V1 meta", tfproto.SavedTensorSlices{Meta: &tfproto.SavedTensorSliceMeta{
		Tensors: []tfproto.SavedSliceMeta{{Name: "b", Shape: tfproto.TensorShape{Dims: []int64{2}}, Type: 1, Slices: []tfproto.TensorSlice{
			{Start: []int64{0}, Length: []int64{-1}},
		}}},
		Versions: &tfproto.VersionDef{Producer: 1},
	}}, "0a15 0a0f 0a0162 1204 12020802 1801 2202 0a00 12020801"},
	{"V1 data", tfproto.SavedTensorSlices{Data: &tfproto.SavedSlice{
		Name: "b", Slice: tfproto.TensorSlice{Start: []int64{0}, Length: []int64{-1}}, Data: strings2("x", ""),
	}}, "120e 0a0162 1202 0a00 1a05 420178 4200"},
}

func strings2(elems ...string) (p tfproto.TensorProto) {
	for _, e := range elems {
		p.Strings = append(p.Strings, []byte(e))
	}
	return p
}

func TestMarshalGivesTensorFlowsBytes(t *testing.T) {
	for _, v := range vectors {
		want := unhex(t, v.hex)
		if got := v.m.Marshal(); string(got) != string(want) {
			t.Errorf("%s: Marshal() = %x, want %x", v.name, got, want)
		}
		got, err := unmarshal(v.m, want)
		if err != nil || !reflect.DeepEqual(got, v.m) {
			t.Errorf("%s: Unmarshal() = %+v, %v, want %+v", v.name, got, err, v.m)
		}
	}
}

func TestUnmarshalAcceptsAnyOrderAndUnknownFields(t *testing.T) {
	var e tfproto.BundleEntry
	// A field twice: the last counts. Known numbers of other types, a group
	// and field 99 are unknown fields.
	b := unhex(t, "35 00000000 35 0638271f 2804 7a00 9a0601 02 6b 0801 6c 2200 0802 0801 12021800")
	want := tfproto.BundleEntry{DType: 1, Size: 4, CRC32C: 0x1f273806}
	if err := e.Unmarshal(b); err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("Unmarshal() = %+v, %v, want %+v", e, err, want)
	}
	var h tfproto.BundleHeader
	// A message twice is merged; numbers need not be packed.
	if err := h.Unmarshal(unhex(t, "1a020801 0801 1a02 1803 1a03 1a0105")); err != nil ||
		!reflect.DeepEqual(h, tfproto.BundleHeader{NumShards: 1, Version: &tfproto.VersionDef{Producer: 1, BadConsumers: []int32{3, 5}}}) {
		t.Errorf("Unmarshal() = %+v, %v", h, err)
	}
}

func TestTruncatedMessagesAreErrors(t *testing.T) {
	for _, v := range vectors {
		full := unhex(t, v.hex)
		for n := range full {
			got, err := unmarshal(v.m, full[:n])
			// A cut between fields is a shorter message.
			if err == nil && reflect.DeepEqual(got, v.m) {
				t.Errorf("%s: %d of %d bytes read as the whole", v.name, n, len(full))
			}
		}
	}
}

func TestErrorsNameTheMessage(t *testing.T) {
	var e tfproto.BundleEntry
	if err := e.Unmarshal([]byte{0x08}); err == nil || err.Error() != "bundle entry: unexpected EOF" {
		t.Errorf("Unmarshal() = %v", err)
	}
}

func FuzzProto(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	for _, g := range graphs(f) {
		f.Add(g)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range []message{
			tfproto.BundleHeader{}, tfproto.BundleEntry{}, tfproto.TrackableObjectGraph{}, tfproto.SavedTensorSlices{},
		} {
			first, err := unmarshal(m, b)
			if err != nil {
				continue
			}
			// As bytes: an empty field and one that is not there are the same.
			want := first.Marshal()
			again, err := unmarshal(m, want)
			if err != nil || !bytes.Equal(again.Marshal(), want) {
				t.Errorf("Unmarshal(Marshal(%+v)) = %+v, %v", first, again, err)
			}
			if s, ok := first.(tfproto.SavedTensorSlices); ok && s.Data != nil {
				checkElements(t, s.Data.Data, len(b))
			}
		}
	})
}

// checkElements reads the elements as every dtype; none may take more than 8
// bytes for each byte there is.
func checkElements(t *testing.T, p tfproto.TensorProto, size int) {
	for dtype := int32(-1); dtype < 40; dtype++ {
		for _, width := range []int{1, 2, 4, 8} {
			if e, err := p.Elements(dtype, width); err == nil && len(e) > 8*size {
				t.Errorf("%d bytes of elements from %d", len(e), size)
			}
		}
	}
}
