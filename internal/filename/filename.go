// Package filename knows the names of the files that checkpoints consist of.
//
//	checkpoint                        the state file
//	ckpt-7.index                      Index
//	ckpt-7.data-00000-of-00002        Data, shard 0 of 2
//	ckpt-7.receipt.json               Receipt
//	ckpt-7.parity-00000-of-00002      Parity, of data shard 0 of 2
//	ckpt-7.parity-index               Parity, of the index
//	ckpt-7.recovery.*                 each of these again, of what ckpt-7 was
//	variables/variables.*             each of these, of a SavedModel
//	.ckpt.quarantine/ckpt-7/*         each of these, of a broken ckpt-7 that was put aside
//	ckpt-7, ckpt-7-00000-of-00002     a V1 checkpoint, which one tells from what is in it
//
// What is before the suffix, "ckpt-7", is the checkpoint's path; "ckpt" is its
// name and 7 its number.
package filename

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	// State is the name of the state file, and of the writers' lock.
	State = "checkpoint"
	// Variables is the path of a SavedModel's variables.
	Variables = "variables/variables"
	// Quarantine is the directory that broken checkpoints are put aside to. As
	// it is one, nobody who looks for checkpoints beside it finds them, be it
	// by a pattern as TensorFlow.
	Quarantine = ".ckpt.quarantine"
	// Cause is the file in which it says why.
	Cause = "cause.json"
	// RecoverySuffix is what paths that Recovery returns end in.
	RecoverySuffix = ".recovery"

	indexSuffix   = ".index"
	receiptSuffix = ".receipt.json"
	parityInfix   = ".parity-"
	dataInfix     = ".data-"
)

// Part is what a file is to the checkpoint it belongs to.
type Part int

// The parts of a V2 checkpoint.
const (
	Index Part = iota
	Data
	Receipt
	Parity
)

// Name is a file's name taken apart.
type Name struct {
	Path          string // "ckpt-7"
	Part          Part
	Shard, Shards int // of Data, and of Parity; 0 of 0 is that of the index
}

// Parse takes the name of a file apart, literally: nothing in it is a
// pattern. ok is false for files that belong to no V2 checkpoint.
func Parse(name string) (f Name, ok bool) {
	if p, ok := strings.CutSuffix(name, receiptSuffix); ok && baseOK(p) {
		return Name{Path: p, Part: Receipt}, true
	}
	if p, ok := strings.CutSuffix(name, indexSuffix); ok && baseOK(p) {
		return Name{Path: p, Part: Index}, true
	}
	if p, shard, shards, ok := tensorbundle.ParseDataName(name); ok && baseOK(p) {
		return Name{Path: p, Part: Data, Shard: shard, Shards: shards}, true
	}
	return parseParity(name)
}

func parseParity(name string) (f Name, ok bool) {
	at := strings.LastIndex(name, parityInfix)
	if at < 0 || !baseOK(name[:at]) {
		return Name{}, false
	}
	p, of := name[:at], name[at+len(parityInfix):]
	if of == indexSuffix[1:] {
		return Name{Path: p, Part: Parity}, true
	}
	_, shard, shards, ok := tensorbundle.ParseDataName(p + dataInfix + of)
	return Name{Path: p, Part: Parity, Shard: shard, Shards: shards}, ok
}

// OfParity returns the name of the parity of a data file, or of an index.
func OfParity(name string) string {
	if p, ok := strings.CutSuffix(name, indexSuffix); ok {
		return p + parityInfix + indexSuffix[1:]
	}
	at := strings.LastIndex(name, dataInfix)
	return name[:at] + parityInfix + name[at+len(dataInfix):]
}

// baseOK reports whether p can name a checkpoint: ".index" alone does not.
func baseOK(p string) bool { return p != "" && !strings.HasSuffix(p, "/") }

// OfReceipt returns the name of the receipt of the checkpoint p.
func OfReceipt(p string) string { return p + receiptSuffix }

// Recovery returns the reserved path under which a checkpoint lies while
// its own is overwritten. It is a whole checkpoint by itself, so that even a
// program that knows nothing of recovery can read it.
func Recovery(p string) string { return p + RecoverySuffix }

// Quarantined returns the directory for the n-th broken checkpoint of a path,
// counted from 1: files keep their names in it.
func Quarantined(p string, n int) string {
	in := path.Join(path.Dir(p), Quarantine, path.Base(p))
	if n == 1 {
		return in
	}
	return in + "." + strconv.Itoa(n)
}

// Numbered joins a manager's name and a number.
func Numbered(name string, number int64) string {
	return name + "-" + strconv.FormatInt(number, 10)
}

// SplitNumber parts "ckpt-7" into "ckpt" and 7. ok is false when p does not
// end in the number as Numbered writes it: "ckpt-07" is somebody else's.
func SplitNumber(p string) (name string, number int64, ok bool) {
	i := strings.LastIndexByte(p, '-')
	if i < 0 {
		return p, -1, false
	}
	n, err := strconv.ParseInt(p[i+1:], 10, 64)
	if err != nil || !canonical(p[i+1:]) {
		return p, -1, false
	}
	return p[:i], n, true
}

// canonical reports whether s, which is a number, has neither sign nor zeros in
// front.
func canonical(s string) bool { return s == "0" || s[0] >= '1' && s[0] <= '9' }

// NumberOf returns p's number if p is the checkpoint name's.
func NumberOf(name, p string) (number int64, ok bool) {
	base, n, ok := SplitNumber(p)
	return n, ok && base == name
}

// Local turns an entry of a state file into a path of the directory.
// Relative entries are cleaned ("./ckpt-7"); one that leaves the directory is
// refused. Of an absolute one, as TensorFlow 1 writes, only the last element
// counts: the directory may have been moved since, and nothing outside of it
// is ever touched.
func Local(entry string) (p string, absolute, ok bool) {
	if isAbsolute(entry) {
		absolute = true
		entry = entry[strings.LastIndexAny(entry, `/\`)+1:]
	}
	if entry == "" {
		return "", absolute, false
	}
	p = path.Clean(entry)
	return p, absolute, storage.CheckName("open", p) == nil
}

// isAbsolute knows Unix paths, Windows paths ("C:\run\ckpt-1", "\\host\...")
// and URLs ("gs://bucket/ckpt-1").
func isAbsolute(entry string) bool {
	if strings.HasPrefix(entry, "/") || strings.HasPrefix(entry, `\\`) || strings.Contains(entry, "://") {
		return true
	}
	return len(entry) >= 3 && entry[1] == ':' && (entry[2] == '\\' || entry[2] == '/')
}

// OfDirectory reports whether p is a checkpoint of the directory itself, and
// neither of one inside it nor a recovery set.
func OfDirectory(p string) bool {
	return !strings.Contains(p, "/") && !strings.HasSuffix(p, RecoverySuffix)
}

// Check refuses names that would be taken for something else later.
func Check(p string) error {
	if err := storage.CheckName("create", p); err != nil {
		return err
	}
	if path.Base(p) == State {
		return fmt.Errorf("a checkpoint cannot have the name of the state file, %q", State)
	}
	if path.Ext(p) == RecoverySuffix {
		return fmt.Errorf("names that end in %q are reserved", RecoverySuffix)
	}
	return nil
}
