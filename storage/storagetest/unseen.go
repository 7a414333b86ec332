package storagetest

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var unseenCases = []testCase{
	{"a file is seen after Commit only", seenAfterCommit},
	{"an empty file is a file", emptyFile},
	{"Discard leaves nothing", discardLeavesNothing},
	{"a Pending is used up by Commit and Discard", usedUp},
	{"an open File outlives its name", fileOutlivesName},
	{"a large file in odd pieces is complete", largeFile},
	{"a closed File reads nothing", closedFile},
}

func seenAfterCommit(t *testing.T, d storage.Dir) {
	p := create(t, d, "a", "one", "", "two")
	wantMissing(t, d, "a")
	wantList(t, d, "")
	must(t, p.Commit())
	wantFile(t, d, "a", "onetwo")
	wantList(t, d, "", "a")
}

func emptyFile(t *testing.T, d storage.Dir) {
	must(t, create(t, d, "empty").Commit())
	f := open(t, d, "empty")
	if f.Size() != 0 {
		t.Errorf("Size() = %d, want 0", f.Size())
	}
	if n, err := f.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
		t.Errorf("ReadAt = %d, %v, want 0, EOF", n, err)
	}
	wantFile(t, d, "empty", "")
	wantList(t, d, "", "empty")
}

func discardLeavesNothing(t *testing.T, d storage.Dir) {
	must(t, create(t, d, "none").Discard())
	must(t, create(t, d, "small", "x").Discard())
	must(t, create(t, d, "large", strings.Repeat("x", 3<<20)).Discard())
	must(t, create(t, d, "in/a/directory", "x").Discard())
	wantMissing(t, d, "none", "small", "large", "in/a/directory")
	wantList(t, d, "")
}

func usedUp(t *testing.T, d storage.Dir) {
	committed := create(t, d, "c", "x")
	must(t, committed.Commit())
	discarded := create(t, d, "d", "x")
	must(t, discarded.Discard())
	for name, p := range map[string]storage.Pending{"c": committed, "d": discarded} {
		_, err := p.Write([]byte("more"))
		wantPathError(t, "Write again to "+name, err, fs.ErrClosed)
		wantPathError(t, "Commit again of "+name, p.Commit(), fs.ErrClosed)
		must(t, p.Discard())
		must(t, p.Discard())
	}
	wantFile(t, d, "c", "x")
	wantMissing(t, d, "d")
}

func fileOutlivesName(t *testing.T, d storage.Dir) {
	write(t, d, "a", "the old content")
	old := open(t, d, "a")
	write(t, d, "a", "new")
	replaced := open(t, d, "a")
	must(t, d.Remove(t.Context(), "a"))
	for f, want := range map[storage.File]string{old: "the old content", replaced: "new"} {
		got := make([]byte, f.Size())
		if _, err := f.ReadAt(got, 0); err != nil && err != io.EOF {
			t.Error(err)
		}
		if string(got) != want {
			t.Errorf("File reads %q, want %q", got, want)
		}
	}
	wantMissing(t, d, "a")
}

func largeFile(t *testing.T, d storage.Dir) {
	want := randomBytes(5<<20 + 12345)
	p := create(t, d, "large")
	for rest, n := want, 1; len(rest) > 0; n = n*3 + 1 { // pieces of 1 byte to 2.4 MB
		n = min(n, len(rest))
		if _, err := p.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	must(t, p.Commit())
	wantFile(t, d, "large", string(want))
	f := open(t, d, "large")
	if f.Size() != int64(len(want)) {
		t.Fatalf("Size() = %d, want %d", f.Size(), len(want))
	}
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() { readRandomly(t, f, want, rand.New(rand.NewPCG(1, seed))) })
	}
	wg.Wait()
}

func readRandomly(t *testing.T, f storage.File, want []byte, r *rand.Rand) {
	for range 50 {
		off, n := r.IntN(len(want)+10), r.IntN(100_000)
		got := make([]byte, n)
		left := max(0, min(n, len(want)-off))
		read, err := f.ReadAt(got, int64(off))
		if read != left || (err != nil && err != io.EOF) || (read < n && err == nil) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v, want %d of %d", n, off, read, err, left, len(want))
			return
		}
		if left > 0 && !bytes.Equal(got[:read], want[off:off+left]) {
			t.Errorf("ReadAt(%d bytes, %d) reads other bytes", n, off)
			return
		}
	}
}

func closedFile(t *testing.T, d storage.Dir) {
	write(t, d, "a", "content")
	f := open(t, d, "a")
	must(t, f.Close())
	_, err := f.ReadAt(make([]byte, 1), 0)
	wantPathError(t, "ReadAt after Close", err, fs.ErrClosed)
}

// randomBytes differ everywhere, so that a block in the wrong place shows.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
