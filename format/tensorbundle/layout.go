package tensorbundle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Layout prints what stands where: the blocks of the index and their entries,
// then the tensors in each data file. Names are printed quoted, so that none
// can play tricks on a terminal. (TensorFlow: BundleReader::DebugString)
func (r *Reader) Layout(w io.Writer) error {
	if err := r.table.Layout(w, r.describe); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	err := r.layoutData(out)
	return errors.Join(err, out.Flush())
}

// describe tells what an entry of the index says.
func (r *Reader) describe(key, value []byte) string {
	if len(key) == 0 {
		return r.describeHeader()
	}
	var p tfproto.BundleEntry
	if err := p.Unmarshal(value); err != nil {
		return err.Error()
	}
	what := fmt.Sprintf("%v %v", tensor.DType(p.DType), tensor.Shape(p.Shape.Dims))
	if len(p.Slices) > 0 {
		var list []string
		for _, s := range p.Slices {
			list = append(list, tensor.Slice(s).String())
		}
		return fmt.Sprintf("%s in shard %d, slices %s", what, p.ShardID, strings.Join(list, " "))
	}
	if name, start, length, err := orderedcode.ParseSliceKey(string(key)); err == nil {
		what = fmt.Sprintf("slice %v of %q, %s", tensor.Slice{Start: start, Length: length}, name, what)
	}
	return fmt.Sprintf("%s in shard %d at byte %d, %d bytes, crc32c %08x", what, p.ShardID, p.Offset, p.Size, crc32c.Unmask(p.CRC32C))
}

func (r *Reader) describeHeader() string {
	order := "little-endian"
	if r.bigEndian() {
		order = "big-endian"
	}
	version := "no version"
	if v := r.header.Version; v != nil {
		version = fmt.Sprintf("producer %d, min consumer %d", v.Producer, v.MinConsumer)
	}
	return fmt.Sprintf("header, shards %d, %s, %s", r.header.NumShards, order, version)
}

// layoutData prints the tensors by data file. Numbers of data files that no
// entry names are only numbers, and are left out.
func (r *Reader) layoutData(w *bufio.Writer) error {
	var all []place
	for key, s := range r.entries {
		if s.parts == nil {
			all = append(all, place{&s.Entry, startOf(&s.Entry, key)})
		}
	}
	slices.SortFunc(all, func(p, q place) int { return p.compare(q.start) })
	var errs []error
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(p place) bool { return p.Shard != all[0].Shard })
		if n < 0 {
			n = len(all)
		}
		errs = append(errs, r.layoutFile(w, all[:n]))
		all = all[n:]
	}
	return errors.Join(errs...)
}

// place is an entry and where its bytes begin.
type place struct {
	*Entry
	start
}

// layoutFile prints the tensors of one data file, and the bytes between them.
func (r *Reader) layoutFile(w *bufio.Writer, all []place) error {
	part := partName(all[0].Shard, r.files.shards)
	_, size, err := r.files.get(all[0].Shard)
	if err != nil {
		fmt.Fprintf(w, "%s: %v\n", part, err)
		return err
	}
	fmt.Fprintf(w, "%s: %d bytes\n", part, size)
	end := int64(0)
	for _, s := range all {
		layoutGap(w, end, s.Offset)
		slice := ""
		if s.Slice != nil {
			slice = fmt.Sprintf(", slice %v", s.Slice)
		}
		fmt.Fprintf(w, "  at byte %d, %d bytes: %q%s\n", s.Offset, s.Size, s.Name, slice)
		end = max(end, s.Offset+s.Size)
	}
	layoutGap(w, end, size)
	return nil
}

func layoutGap(w *bufio.Writer, from, to int64) {
	if from < to {
		fmt.Fprintf(w, "  at byte %d, %d bytes: of no tensor\n", from, to-from)
	}
}
