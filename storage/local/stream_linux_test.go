package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/offheap"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// refusing is a file system that does not write past its cache, and says so
// when such a file is opened or only when it is written to.
type refusing struct {
	vfs.FS
	onOpen bool
}

func (r refusing) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if flag&syscall.O_DIRECT == 0 {
		return r.FS.OpenFile(name, flag, perm)
	}
	if r.onOpen {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EINVAL}
	}
	f, err := r.FS.OpenFile(name, flag, perm)
	return noWrites{f}, err
}

type noWrites struct{ vfs.File }

func (noWrites) WriteAt([]byte, int64) (int, error) { return 0, syscall.EINVAL }

// text returns n bytes that no shift of them equals.
func text(n int) []byte {
	b := make([]byte, n)
	random := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = random.Read(b) // which never fails
	return b
}

// kept is memory that begins at a page, and from which files are written without
// a copy.
type kept struct{ text, rest []byte }

func keep(t testing.TB, size int) *kept {
	m, err := offheap.Alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Free(); err != nil {
			t.Error(err)
		}
	})
	copy(m.Bytes, text(size))
	return &kept{m.Bytes, m.Bytes}
}

// take returns the next n bytes, behind a gap.
func (k *kept) take(gap, n int) []byte {
	k.rest = k.rest[min(gap, len(k.rest)):]
	n = min(n, len(k.rest))
	defer func() { k.rest = k.rest[n:] }()
	return k.rest[:n]
}

// TestLargeFilesHoldWhatWasWritten writes several files side by side, in pieces
// of any size, with fewer buffers than files. Some of the pieces are kept: for each
// file there is memory that they come from, one after the other but for some gaps.
func TestLargeFilesHoldWhatWasWritten(t *testing.T) {
	inUse := local.SmallStaging(t, 3)
	memories := []*kept{keep(t, 3<<20), keep(t, 3<<20), keep(t, 3<<20), keep(t, 3<<20), keep(t, 3<<20)}
	for _, disk := range []struct {
		name string
		fsys func() vfs.FS
	}{
		{"strict", func() vfs.FS { return vfstest.NewStrict(nil) }},
		{"refuses to open", func() vfs.FS { return refusing{vfstest.NewStrict(nil), true} }},
		{"refuses to write", func() vfs.FS { return refusing{vfstest.NewStrict(nil), false} }},
	} {
		t.Run(disk.name, rapid.MakeCheck(func(t *rapid.T) {
			d := local.DirOn(disk.fsys(), "/runs/model")
			var files []storage.Pending
			contents := map[int][]byte{}
			for i := range rapid.IntRange(1, 5).Draw(t, "files") {
				p, err := d.Create(t.Context(), fmt.Sprint(i))
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, p)
				memories[i].rest = memories[i].text
			}
			for range rapid.IntRange(0, 20).Draw(t, "pieces") {
				i := rapid.IntRange(0, len(files)-1).Draw(t, "file")
				size := rapid.OneOf(rapid.IntRange(0, 9000), rapid.IntRange(200<<10, 600<<10), rapid.Just(256<<10)).Draw(t, "size")
				var piece []byte
				write := files[i].Write
				if rapid.IntRange(0, 5).Draw(t, "from") == 0 {
					piece = text(size)
				} else { // a gap makes place and memory differ, or be alike again
					gap := rapid.SampledFrom([]int{0, 0, 0, 1, 4095, 4096}).Draw(t, "gap")
					piece = memories[i].take(gap, size)
				}
				if len(piece) > 0 && rapid.IntRange(0, 3).Draw(t, "copied") > 0 {
					write = func(b []byte) (int, error) { return storage.WriteKept(files[i], b) }
				}
				if n, err := write(piece); n != len(piece) || err != nil {
					t.Fatalf("Write(%d bytes) = %d, %v", len(piece), n, err)
				}
				contents[i] = append(contents[i], piece...)
			}
			for i, p := range files {
				if rapid.IntRange(0, 4).Draw(t, "fate") == 0 {
					if err := p.Discard(); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err := p.Commit(); err != nil {
					t.Fatal(err)
				}
				if got, err := storage.ReadFile(t.Context(), d, fmt.Sprint(i)); err != nil || !bytes.Equal(got, contents[i]) {
					t.Errorf("file %d holds %d bytes, %v, want the %d that were written", i, len(got), err, len(contents[i]))
				}
			}
			if taken, hungry := inUse(); taken != 0 || hungry != 0 {
				t.Errorf("%d buffers are taken and %d files wait for one, when all are ended", taken, hungry)
			}
			if disk.name == "strict" && local.IsRefused(d) {
				t.Error("a write past the cache was not of whole blocks, in memory or in the file")
			}
		}))
	}
}

// TestWhatIsKeptIsNotCopied: until it is on its way to the disk it is the caller's
// memory that counts. It is written there when a buffer's size has come together.
func TestWhatIsKeptIsNotCopied(t *testing.T) {
	local.SmallStaging(t, 2)
	d, k := local.DirOn(vfstest.NewStrict(nil), "/runs/model"), keep(t, 2<<20)
	p, err := d.Create(t.Context(), "state")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{256<<10 + 1, 3, 255<<10 + 5, 100 << 10, 100} {
		if _, err := storage.WriteKept(p, k.take(0, n)); err != nil {
			t.Fatal(err)
		}
	}
	size := len(k.text) - len(k.rest)
	k.text[size-5000] ^= 1 // of the last buffer's worth, which is not complete
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := storage.ReadFile(t.Context(), d, "state"); err != nil || !bytes.Equal(got, k.text[:size]) {
		t.Errorf("the file holds %d bytes, %v, and not the %d that are there now", len(got), err, size)
	}
}

// writeLarge replaces the file state by a large one.
func writeLarge(t *testing.T, d storage.Dir, content []byte) (err error) {
	return writeBy(t, d, content, func(p storage.Pending, b []byte) (int, error) { return p.Write(b) })
}

func writeKept(t *testing.T, d storage.Dir, content []byte) (err error) {
	return writeBy(t, d, content, func(p storage.Pending, b []byte) (int, error) { return storage.WriteKept(p, b) })
}

func writeBy(t *testing.T, d storage.Dir, content []byte, write func(storage.Pending, []byte) (int, error)) (err error) {
	p, err := d.Create(t.Context(), "state")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Discard()) }()
	for len(content) > 0 && err == nil {
		n := min(len(content), 100<<10)
		_, err = write(p, content[:n])
		content = content[n:]
	}
	if err != nil {
		return err
	}
	return p.Commit()
}

// TestEveryOperationOnALargeFileMayFail fails each once: the old file is there,
// or the new one, nothing else, and no buffer is lost.
//
// Proves D13, D15.
func TestEveryOperationOnALargeFileMayFail(t *testing.T) {
	k := keep(t, 1300<<10)
	everyOperationOnALargeFile(t, k.text, writeLarge)
	everyOperationOnALargeFile(t, k.text, writeKept)
}

func everyOperationOnALargeFile(t *testing.T, content []byte, write func(*testing.T, storage.Dir, []byte) error) {
	inUse := local.SmallStaging(t, 2)
	faults := 0
	for _, errno := range errnos {
		for i, through := 0, false; !through; i++ {
			root := t.TempDir()
			if err := storage.WriteFile(t.Context(), local.Dir(root), "state", []byte("old")); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var hit string
			renamed, early, n := false, false, 0
			fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
				mu.Lock()
				defer mu.Unlock()
				if n++; n-1 == i {
					hit, early = op.Verb, !renamed
					return errno
				}
				renamed = renamed || op.Verb == "rename"
				return nil
			})
			err := write(t, local.DirOn(fsys, root), content)
			through = n <= i
			faults++
			what := fmt.Sprintf("%v in operation %d (%s)", errno, i, hit)
			want := []byte("old")
			if renamed {
				want = content
			}
			if got, err := storage.ReadFile(t.Context(), local.Dir(root), "state"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: the file holds %d bytes, %v, want %d", what, len(got), err, len(want))
			}
			// Without a second handle the cache does; what is old the next writer finds.
			harmless := through || hit == "open" || hit == "fstat" || hit == "readdir" || hit == "syncdir" && errno == syscall.EACCES && early
			if err == nil && !harmless || err != nil && !errors.Is(err, errno) {
				t.Errorf("%s: error is %v", what, err)
			}
			wantNoTemps(t, root, what)
			if taken, hungry := inUse(); taken != 0 || hungry != 0 {
				t.Errorf("%s: %d buffers are taken, %d files wait", what, taken, hungry)
			}
		}
	}
	torture.Count(t, "faults injected", faults)
}

// TestPowerCutsInALargeFile: it is old or new, whole; and when Commit has
// returned, new.
//
// Proves D1, D2.
func TestPowerCutsInALargeFile(t *testing.T) {
	k := keep(t, 600<<10+17)
	powerCutsInALargeFile(t, k.text, writeLarge)
	powerCutsInALargeFile(t, k.text, writeKept)
}

func powerCutsInALargeFile(t *testing.T, content []byte, write func(*testing.T, storage.Dir, []byte) error) {
	local.SmallStaging(t, 2)
	disk := vfstest.NewStrict(nil)
	d := local.DirOn(disk, "/runs/model")
	old := text(10)
	if err := storage.WriteFile(t.Context(), d, "state", old); err != nil {
		t.Fatal(err)
	}
	tried, done := 0, false
	look := func(after string, s *vfstest.Strict) {
		for cut := range s.Cuts(torture.Times(4, 500), 1) {
			tried++
			got, err := storage.ReadFile(t.Context(), local.DirOn(s.Crash(cut), "/runs/model"), "state")
			if err != nil || !bytes.Equal(got, content) && (done || !bytes.Equal(got, old)) {
				t.Errorf("power cut %q after %s leaves %d bytes, %v", cut.Name, after, len(got), err)
			}
		}
	}
	disk.Watch(func(op vfstest.Op, s *vfstest.Strict) { look(op.String(), s) })
	if err := write(t, d, content); err != nil {
		t.Fatal(err)
	}
	done = true
	look("Commit", disk)
	torture.Count(t, "crash states", tried)
}

// TestALargeFileGoesPastTheCache, if the file system lets it: else all of this
// would test what was there before.
func TestALargeFileGoesPastTheCache(t *testing.T) {
	root, direct := t.TempDir(), 0
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb == "open" && filepath.Dir(op.Path) == root {
			direct++
		}
		return nil
	})
	d := local.DirOn(fsys, root)
	for _, size := range []int{1 << 20, 100} {
		before := direct
		if err := writeLarge(t, d, text(size)); err != nil {
			t.Fatal(err)
		}
		if got, want := direct-before, size/(1<<20); got != want {
			t.Errorf("of a file of %d bytes %d handles past the cache were opened, want %d", size, got, want)
		}
	}
}
