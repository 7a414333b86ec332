package tensorbundle_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

func TestAnEmptyCheckpointHasOnlyAHeader(t *testing.T) {
	r := write(t, nil).mustOpen(t)
	if names := r.Names(); len(names) != 0 || r.Shards() != 1 {
		t.Errorf("%d names, %d shards", len(names), r.Shards())
	}
}

func TestAnIndexThatNobodyCouldReadIsNotWritten(t *testing.T) {
	entry := func(shard int, offset, size int64) tensorbundle.Entry {
		return tensorbundle.Entry{Name: "a", DType: tensor.Uint8, Shape: tensor.Shape{size}, Shard: shard, Offset: offset, Size: size}
	}
	slice := func(name, spec string, shard int) tensorbundle.Entry {
		return tensorbundle.Entry{Name: name, DType: tensor.Uint8, Shape: tensor.Shape{2}, Shard: shard, Size: 2, Slice: parseSlice(t, spec), Full: tensor.Shape{4}}
	}
	shard := func(entries ...tensorbundle.Entry) tensorbundle.Shard {
		return tensorbundle.Shard{Entries: entries, Size: 10}
	}
	for _, c := range []struct {
		name, want string
		shards     []tensorbundle.Shard
	}{
		{"none", "no shards", nil},
		{"empty shard", "shard 1: has no tensors", []tensorbundle.Shard{shard(entry(0, 0, 1)), {}}},
		{"not written", "shard 0: its data file was not written", []tensorbundle.Shard{{Size: -1}}},
		{"wrong order", "a: is in shard 1, but given with shard 0", []tensorbundle.Shard{shard(entry(1, 0, 1)), shard(entry(0, 0, 1))}},
		{"twice", "a: adding duplicate key", []tensorbundle.Shard{shard(entry(0, 0, 1)), shard(entry(1, 0, 1))}},
		{"past the end", "a: 6 bytes at byte 5 of a shard of 10 bytes", []tensorbundle.Shard{shard(entry(0, 5, 6))}},
		{"no name", "an entry has no name", []tensorbundle.Shard{shard(tensorbundle.Entry{})}},
		{"overlap", "a: overlapping slices", []tensorbundle.Shard{shard(slice("a", "0,2", 0)), shard(slice("a", "1,2", 1))}},
		{"outside", "slice 3,2: outside", []tensorbundle.Shard{shard(slice("a", "3,2", 0))}},
	} {
		var b bytes.Buffer
		err := tensorbundle.WriteIndex(&b, c.shards)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: WriteIndex = %v, want %q", c.name, err, c.want)
		}
		if b.Len() != 0 {
			t.Errorf("%s: wrote %d bytes", c.name, b.Len())
		}
	}
}

func TestWriteErrorsOfTheIndexComeBack(t *testing.T) {
	w := tensorbundle.NewWriter(&bytes.Buffer{}, 0)
	if err := w.Add(format.Named{Name: "a", Tensor: f32(t, nil, 1)}); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if err := tensorbundle.WriteIndex(&full{n}, []tensorbundle.Shard{w.Shard()}); err == nil {
			t.Fatalf("a disk of %d bytes: no error", n)
		}
	}
}
