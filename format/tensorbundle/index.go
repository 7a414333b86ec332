package tensorbundle

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/internal/tiling"
)

// WriteIndex writes the index of a bundle whose data file number i, named
// DataName(prefix, i, len(shards)), is shards[i]: the bytes that TensorFlow
// writes when it merges the same shards in the same order.
//
// A shard without tensors is an error, unless it is the only one: TensorFlow
// gives such a shard no number, so that its own reader would look for data
// files of other names. Leave empty shards out before naming the files.
// (TensorFlow: MergeBundles)
func WriteIndex(w io.Writer, shards []Shard) error {
	m, err := merge(shards)
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	header := tfproto.BundleHeader{NumShards: int32(len(shards)), Version: &tfproto.VersionDef{Producer: producer}}
	t := table.NewWriter(w)
	if err := t.Add(nil, header.Marshal()); err != nil {
		return err
	}
	for _, e := range m {
		if err := t.Add([]byte(e.key), e.value.Marshal()); err != nil {
			return err
		}
	}
	return t.Close()
}

// record is an entry of the index.
type record struct {
	key   string
	value tfproto.BundleEntry
}

// merge brings the shards' entries together, in order of their keys.
func merge(shards []Shard) ([]record, error) {
	if len(shards) == 0 {
		return nil, errors.New("no shards")
	}
	n := 0
	for _, s := range shards {
		n += len(s.Entries)
	}
	all, records := make(keys, n), make([]record, 0, n)
	for i, s := range shards {
		if len(s.Entries) == 0 && len(shards) > 1 {
			return nil, fmt.Errorf("shard %d: has no tensors", i)
		}
		if s.Size < 0 {
			return nil, fmt.Errorf("shard %d: its data file was not written", i)
		}
		for j := range s.Entries {
			e := &s.Entries[j]
			if err := check(e, i, s.Size); err != nil {
				return nil, err
			}
			if err := all.claim(e); err != nil {
				return nil, err
			}
			records = append(records, record{e.key(), e.proto()})
		}
	}
	records, err := all.appendPartitions(records)
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.key, b.key) })
	return records, err
}

// check holds an entry, which may come from another worker, against its shard.
func check(e *Entry, shard int, size int64) error {
	switch {
	case e.Name == "":
		return fmt.Errorf("shard %d: an entry has no name", shard)
	case e.Shard != shard:
		return fmt.Errorf("%s: is in shard %d, but given with shard %d", describe(e), e.Shard, shard)
	case e.Offset < 0 || e.Size < 0 || e.Offset > size || e.Size > size-e.Offset:
		return fmt.Errorf("%s: %d bytes at byte %d of a shard of %d bytes", describe(e), e.Size, e.Offset, size)
	}
	return nil
}

// appendPartitions appends the entries of partitioned tensors. They have no
// data, but MergeBundles gives them the shard in which it saw them first.
func (k keys) appendPartitions(records []record) ([]record, error) {
	for name, p := range k {
		if p == nil {
			continue
		}
		if err := tiling.Disjoint(p.regions); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		records = append(records, record{name, tfproto.BundleEntry{
			DType:   int32(p.dtype),
			Shape:   tfproto.TensorShape{Dims: p.full},
			ShardID: int32(p.shard),
			Slices:  p.slices,
		}})
	}
	return records, nil
}
