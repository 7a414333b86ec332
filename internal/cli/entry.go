package cli

import (
	"fmt"
	"math/bits"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
)

// tensorLine describes a tensor as a line of a table needs it.
func (r *opened) tensorLine(name string) (tensorJSON, error) {
	if r.Format() == checkpoint.FormatV1 {
		info, err := r.Info(name)
		if err != nil {
			return tensorJSON{}, r.explain(err)
		}
		n, err := info.Shape.NumElements()
		return tensorJSON{Name: name, DType: info.DType.String(), Shape: info.Shape, Bytes: n * int64(info.DType.Size())}, r.explain(err)
	}
	entry, err := r.Entry(name)
	return tensorJSON{Name: name, DType: entry.DType.String(), Shape: entry.Shape, Bytes: entry.Size}, r.explain(err)
}

// tensorJSON describes a tensor by its entry.
func (r *opened) tensorJSON(name string) (tensorJSON, error) {
	t, err := r.tensorLine(name)
	t.RawName, t.Shape = rawName(name), dims(t.Shape)
	if err != nil || r.Format() == checkpoint.FormatV1 {
		return t, err
	}
	entry, err := r.Entry(name)
	if err != nil {
		return tensorJSON{}, r.explain(err)
	}
	slices, err := r.Slices(name)
	if err != nil {
		return tensorJSON{}, r.explain(err)
	}
	if len(slices) == 0 {
		t.Shard, t.Offset, t.CRC32C = &entry.Shard, &entry.Offset, hexCRC(entry.CRC32C)
	}
	for _, s := range slices {
		t.Slices = append(t.Slices, sliceOf(s))
	}
	return t, nil
}

func sliceOf(e tensorbundle.Entry) sliceJSON {
	return sliceJSON{Slice: e.Slice.String(), Shape: dims(e.Shape), Bytes: e.Size,
		Shard: e.Shard, Offset: e.Offset, CRC32C: hexCRC(e.CRC32C)}
}

// hexCRC returns the CRC-32C that a stored one stands for. TensorFlow masks
// what it stores, because the CRC of bytes that hold CRCs is weak
// (tsl/lib/hash/crc32c.h).
func hexCRC(masked uint32) string {
	return fmt.Sprintf("%08x", bits.RotateLeft32(masked-0xa282ead8, 15))
}
