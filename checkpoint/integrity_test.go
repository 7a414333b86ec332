package checkpoint

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// Every byte of index and data is under a checksum, and of the index all that
// none covers (the footer, with its magic number and its padding, the lengths
// in front of Snappy's blocks) is compared with what a writer would have
// written. So there is no byte whose flip may go unnoticed, and none is
// excepted here.

// masks are what the byte at i of a file is flipped by: all its bits, and each
// single one. In the short form that is for our own indexes; of other files
// every byte is flipped once, by all or one in turn.
func (v *victim) masks(file string, i int) []byte {
	if v.objects != nil && strings.HasSuffix(file, ".index") || torture.Times(0, 1) == 1 {
		return []byte{0xff, 1, 2, 4, 8, 16, 32, 64, 128}
	}
	return []byte{[]byte{0xff, 1, 2, 4, 8, 16, 32, 64, 128}[i%9]}
}

// TestEveryFlippedByteIsFound flips each byte of whole checkpoints: ours of all
// kinds of tensors, of several data files, of slices, and TensorFlow's, of both
// formats. Proves D17.
func TestEveryFlippedByteIsFound(t *testing.T) {
	n := 0
	for _, v := range append(ownVictims(t), foreignVictims(t)...) {
		for _, file := range v.names() {
			whole := v.files[file]
			for i := 0; i < len(whole); i += torture.Thin(17) {
				for _, mask := range v.masks(file, i) {
					v.put(t, map[string]string{file: whole[:i] + string([]byte{whole[i] ^ mask}) + whole[i+1:]})
					v.wantFound(t, fmt.Sprintf("byte %d of %s flipped by %02x", i, file, mask), file, i)
					n++
				}
			}
			v.mend(t)
		}
	}
	torture.Count(t, "bytes flipped", n)
}

// TestEveryTruncationIsFound cuts each file at each length, and makes it
// longer. Proves D17.
func TestEveryTruncationIsFound(t *testing.T) {
	n := 0
	for _, v := range append(ownVictims(t), foreignVictims(t)...) {
		for _, file := range v.names() {
			whole := v.files[file]
			for i := 0; i < len(whole); i += torture.Thin(17) {
				v.put(t, map[string]string{file: whole[:i]})
				what := fmt.Sprintf("%s cut to %d bytes", file, i)
				v.wantFound(t, what, file, -1)
				if err := v.verify(true); !errors.Is(err, format.ErrCorrupt) && !v.unrecognizable(file, err) {
					t.Errorf("%s: %s: VerifyQuick() = %v, want format.ErrCorrupt", v.name, what, err)
				}
				n++
			}
			v.mend(t)
		}
	}
	torture.Count(t, "truncations", n)
}

// TestALongerFileIsFound: behind an index is where its end is looked for, and
// behind data nobody reads: only a receipt tells, and restoring changes nothing.
func TestALongerFileIsFound(t *testing.T) {
	for _, v := range append(ownVictims(t), foreignVictims(t)...) {
		for _, file := range v.names() {
			for _, more := range []string{"x", strings.Repeat("\x00", 4096), v.files[file]} {
				v.put(t, map[string]string{file: v.files[file] + more})
				what := fmt.Sprintf("%s longer by %d", file, len(more))
				data := strings.Contains(file, ".data-")
				if !data && more != v.files[file] {
					v.wantFound(t, what, file, -1)
				} else if got, err := v.read(); err != nil && !errors.Is(err, format.ErrCorrupt) || err == nil && got != v.want {
					t.Errorf("%s: %s: read %q, %v, want what it was", v.name, what, got, err)
				}
				if err := v.verify(true); v.objects != nil && (!errors.Is(err, format.ErrCorrupt) || !strings.HasPrefix(err.Error(), file)) {
					t.Errorf("%s: %s: VerifyQuick() = %v, want damage of that file", v.name, what, err)
				}
			}
			v.mend(t)
		}
	}
}

// TestSwappedDataFilesAreFound: each two of several, of one size or not.
// Proves D17.
func TestSwappedDataFilesAreFound(t *testing.T) {
	dir := mem.Dir()
	objects := Objects{"a": floats(t, 4), "b": floats(t, 4), "c": floats(t, 4), "d": floats(t, 2), "s": text(t, "seventeen byte s")}
	write(t, dir, "m", objects, sharding.MaxShardSize(16))
	v := newVictim(t, "swapped", dir, "m", objects)
	names := v.names()
	names = names[:len(names)-1] // the index
	for i, a := range names {
		for _, b := range names[:i] {
			v.put(t, map[string]string{a: v.files[b], b: v.files[a]})
			what := fmt.Sprintf("%s and %s swapped", a, b)
			if _, err := v.read(); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("%s: %v, want format.ErrCorrupt", what, err)
			}
			if err := v.restore(t, what); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("%s: Read() = %v, want format.ErrCorrupt", what, err)
			}
			if err := v.verify(false); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("%s: Verify() = %v, want format.ErrCorrupt", what, err)
			}
			v.mend(t)
		}
	}
}

// large returns a checkpoint of some megabytes of random numbers, in two data
// files, and of many small tensors, so that the index has several blocks.
func large(t *testing.T) *victim {
	t.Helper()
	dir := mem.Dir()
	objects := Objects{"text": text(t, strings.Repeat("long ", 9000), "short")}
	for i := range 4 {
		objects[fmt.Sprint("big", i)] = floats(t, 300, 300)
	}
	for i := range 200 {
		objects[fmt.Sprint("small with a long name, so that the index is long, too, ", i)] = floats(t, 3)
	}
	write(t, dir, "m", objects, sharding.MaxShardSize(1<<20))
	return newVictim(t, "large", dir, "m", objects)
}

// TestRandomDamageOfALargeCheckpointIsFound flips random bytes, and lets random
// stretches be lost as a torn write loses them: they are zeros, or what another
// place of the file has. Proves D17.
func TestRandomDamageOfALargeCheckpointIsFound(t *testing.T) {
	v := large(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	flips, torn := 0, 0
	for range torture.Times(20, 2000) / torture.Thin(5) {
		for _, file := range v.names() {
			whole := []byte(v.files[file])
			at := r.IntN(len(whole))
			whole[at] ^= byte(1 + r.IntN(255))
			v.put(t, map[string]string{file: string(whole)})
			v.wantFound(t, fmt.Sprintf("byte %d of %s flipped", at, file), file, at)
			flips++
			if v.tear(t, r, file) {
				torn++
			}
			v.mend(t)
		}
	}
	torture.Count(t, "bytes flipped", flips)
	torture.Count(t, "blocks torn", torn)
}

// tear loses one sector or one page of a file. It returns false where that
// changes nothing.
func (v *victim) tear(t *testing.T, r *rand.Rand, file string) bool {
	t.Helper()
	size := []int{512, 4096}[r.IntN(2)]
	whole := []byte(v.files[file])
	at := r.IntN(len(whole)/size+1) * size
	lost := whole[at:min(at+size, len(whole))]
	if r.IntN(2) == 0 {
		clear(lost)
	} else {
		copy(lost, v.files[file][r.IntN(len(whole)/size+1)*size:])
	}
	if string(whole) == v.files[file] {
		return false
	}
	v.put(t, map[string]string{file: string(whole)})
	v.wantFound(t, fmt.Sprintf("%d bytes at %d of %s lost", size, at, file), file, -1)
	return true
}
