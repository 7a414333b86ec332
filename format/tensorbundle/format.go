// Package tensorbundle reads and writes TensorFlow's V2 checkpoints, called
// tensor bundles (TensorFlow: BundleWriter, BundleReader and MergeBundles, in
// core/util/tensor_bundle). The bytes written equal TensorFlow's.
//
// The checkpoint "ckpt-7" with two shards is three files:
//
//	ckpt-7.index                  a table (internal/table): key → message
//	    ""                        BundleHeader: shards, byte order, version
//	    name                      BundleEntry: dtype, shape, shard, offset,
//	                              size, masked CRC-32C of the tensor's bytes
//	    name                      of a partitioned tensor: dtype, whole shape
//	                              and the regions stored, but no data
//	    slice key                 BundleEntry of one region; the key is made
//	                              of name and region (internal/orderedcode)
//	ckpt-7.data-00000-of-00002    the tensors' bytes, one after the other,
//	ckpt-7.data-00001-of-00002    in the order in which they were added
//
// A tensor's bytes are its elements, row-major and little-endian. Strings and
// variants are framed:
//
//	strings  := length varint … | masked CRC of the lengths, uint32 LE | bytes …
//	variants := (length varint | message | masked CRC so far, uint32 LE) …
//
// The lengths' CRC, with which a string tensor's own begins, is taken over
// each length as uint32, or as uint64 if it needs one, not over the varints.
package tensorbundle

import (
	"fmt"
	"regexp"
	"strconv"
)

// IndexName returns the name of a checkpoint's index file: "ckpt-7.index".
// (TensorFlow: MetaFilename)
func IndexName(prefix string) string { return prefix + ".index" }

// DataName returns the name of one of a checkpoint's data files:
// "ckpt-7.data-00000-of-00001". (TensorFlow: DataFilename)
func DataName(prefix string, shard, shards int) string {
	return prefix + "." + partName(shard, shards)
}

// partName is what errors call a data file.
func partName(shard, shards int) string { return fmt.Sprintf("data-%05d-of-%05d", shard, shards) }

var dataName = regexp.MustCompile(`^(?s:(.*))\.data-([0-9]{5,10})-of-([0-9]{5,10})$`)

// ParseDataName takes a name that DataName made apart; ok is false for others.
func ParseDataName(name string) (prefix string, shard, shards int, ok bool) {
	m := dataName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, 0, false
	}
	shard, err1 := strconv.Atoi(m[2])
	shards, err2 := strconv.Atoi(m[3])
	if err1 != nil || err2 != nil || shard >= shards || DataName(m[1], shard, shards) != name {
		return "", 0, 0, false
	}
	return m[1], shard, shards, true
}

// indexPart is what errors call the index file.
const indexPart = "index"

// The versions of TensorFlow's bundles (core/util/tensor_bundle/tensor_bundle.h).
const (
	producer    = 1 // what Writer writes
	consumer    = 1 // what Reader reads
	minProducer = 0
)
