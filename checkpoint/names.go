package checkpoint

import (
	"path"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	stateName      = "checkpoint" // also the name of the writers' lock
	indexSuffix    = ".index"
	receiptSuffix  = ".receipt.json"
	recoverySuffix = ".recovery"
	variablesPath  = "variables/variables" // of a SavedModel
)

// part is what a file is to the checkpoint it belongs to.
type part int

const (
	partIndex part = iota
	partData
	partReceipt
)

// fileName is a file's name taken apart.
type fileName struct {
	path          string // "ckpt-7"
	part          part
	shard, shards int // of partData
}

// parseName takes the name of a file apart, literally: nothing in it is a
// pattern. ok is false for files that belong to no V2 checkpoint.
func parseName(name string) (f fileName, ok bool) {
	if p, ok := strings.CutSuffix(name, receiptSuffix); ok && baseOK(p) {
		return fileName{path: p, part: partReceipt}, true
	}
	if p, ok := strings.CutSuffix(name, indexSuffix); ok && baseOK(p) {
		return fileName{path: p, part: partIndex}, true
	}
	if p, shard, shards, ok := tensorbundle.ParseDataName(name); ok && baseOK(p) {
		return fileName{path: p, part: partData, shard: shard, shards: shards}, true
	}
	return fileName{}, false
}

// baseOK reports whether p can name a checkpoint: ".index" alone does not.
func baseOK(p string) bool { return p != "" && !strings.HasSuffix(p, "/") }

// receiptName returns the name of the receipt of the checkpoint p.
func receiptName(p string) string { return p + receiptSuffix }

// recoveryOf returns the reserved path under which a checkpoint lies while
// its own is overwritten. It is a whole checkpoint by itself, so that even a
// program that knows nothing of recovery can read it.
func recoveryOf(p string) string { return p + recoverySuffix }

// numbered joins a manager's name and a number.
func numbered(name string, number int64) string {
	return name + "-" + strconv.FormatInt(number, 10)
}

// splitNumber parts "ckpt-7" into "ckpt" and 7. ok is false when p does not
// end in the number as numbered writes it: "ckpt-07" is somebody else's.
func splitNumber(p string) (name string, number int64, ok bool) {
	i := strings.LastIndexByte(p, '-')
	if i < 0 {
		return p, -1, false
	}
	n, err := strconv.ParseInt(p[i+1:], 10, 64)
	if err != nil || n < 0 || numbered(p[:i], n) != p {
		return p, -1, false
	}
	return p[:i], n, true
}

// numberOf returns p's number if p is the checkpoint name's.
func numberOf(name, p string) (number int64, ok bool) {
	base, n, ok := splitNumber(p)
	return n, ok && base == name
}

// localPath turns an entry of a state file into a path of the directory.
// Relative entries are cleaned ("./ckpt-7"); one that leaves the directory is
// refused. Of an absolute one, as TensorFlow 1 writes, only the last element
// counts: the directory may have been moved since, and nothing outside of it
// is ever touched.
func localPath(entry string) (p string, absolute, ok bool) {
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
