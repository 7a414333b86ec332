package local_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// cold is a file system that has nothing in its cache, and counts what is read
// past it. It takes what a disk would, whether the one below does or not.
type cold struct {
	vfs.FS
	really bool // past the cache of the one below
	mu     sync.Mutex
	direct int64 // bytes
}

func (c *cold) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	below := flag
	if !c.really {
		below &^= syscall.O_DIRECT
	}
	f, err := c.FS.OpenFile(name, below, perm)
	if err != nil {
		return nil, err
	}
	return &coldFile{f, c, flag&syscall.O_DIRECT != 0}, nil
}

func (c *cold) read() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.direct
	c.direct = 0
	return n
}

type coldFile struct {
	vfs.File
	c      *cold
	direct bool
}

func (*coldFile) InCache(int64, int64) (int64, error) { return 0, nil }

func (f *coldFile) ReadAt(p []byte, off int64) (int, error) {
	const mask = 4096 - 1
	if f.direct && (off|int64(len(p))|int64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))))&mask != 0 {
		return 0, syscall.EINVAL
	}
	n, err := f.File.ReadAt(p, off)
	if f.direct {
		f.c.mu.Lock()
		f.c.direct += int64(n)
		f.c.mu.Unlock()
	}
	return n, err
}

// largeFile writes the file "a" to a directory of the disk.
func largeFile(t *testing.T, size int) (root string, content []byte) {
	t.Helper()
	root, content = t.TempDir(), text(size)
	if err := os.WriteFile(filepath.Join(root, "a"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return root, content
}

func open(t *testing.T, d storage.Dir) storage.File {
	t.Helper()
	f, err := d.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestAReadingPastTheCacheReadsTheSame, wherever it begins and ends, beyond the
// end of the file too.
func TestAReadingPastTheCacheReadsTheSame(t *testing.T) {
	local.SmallReading(t, 2, 1<<20)
	root, content := largeFile(t, 5<<20+4321)
	for _, really := range []bool{false, true} {
		disk := &cold{FS: vfs.OS(), really: really}
		f, past := open(t, local.DirOn(disk, root)), int64(0)
		rapid.Check(t, func(t *rapid.T) { past += readAnywhere(t, disk, f, content) })
		if past == 0 && !really {
			t.Error("nothing was read past the cache")
		}
	}
}

func readAnywhere(t *rapid.T, disk *cold, f storage.File, content []byte) (past int64) {
	off := rapid.OneOf(rapid.IntRange(0, 6<<20), rapid.Map(rapid.IntRange(0, 1400), func(i int) int { return i * 4096 })).Draw(t, "off")
	got := make([]byte, rapid.OneOf(rapid.IntRange(1<<20-2, 4<<20), rapid.Just(1<<20)).Draw(t, "size"))
	n, err := f.(scatterer).ReadvAt(split(t, got), int64(off))
	want := content[min(off, len(content)):]
	if want = want[:min(len(want), len(got))]; !bytes.Equal(got[:n], want) || (err == io.EOF) != (n < len(got)) || err != nil && err != io.EOF {
		t.Fatalf("ReadAt(%d bytes, %d) = %d, %v, want %d as written", len(got), off, n, err, len(want))
	}
	return disk.read()
}

// scatterer is format.Scatterer.
type scatterer interface {
	ReadvAt(to [][]byte, off int64) (int, error)
}

// split splits b into places, some of them empty.
func split(t *rapid.T, b []byte) (to [][]byte) {
	for range rapid.IntRange(0, 5).Draw(t, "places") {
		n := rapid.OneOf(rapid.IntRange(0, len(b)), rapid.IntRange(0, min(len(b), 9000))).Draw(t, "place")
		to, b = append(to, b[:n:n]), b[n:]
	}
	return append(to, b)
}

// TestPlacesThatAreReadToStayWhatTheyAre: the list of them is the caller's, and
// between two places nothing changes.
func TestPlacesThatAreReadToStayWhatTheyAre(t *testing.T) {
	root, content := largeFile(t, 3<<20)
	for _, disk := range []vfs.FS{vfs.OS(), &cold{FS: vfs.OS()}} {
		f := open(t, local.DirOn(disk, root))
		memory := make([]byte, 4<<20)
		to := [][]byte{memory[:1<<20], memory[1<<20+1 : 1<<20+1], memory[2<<20 : 3<<20]}
		if n, err := f.(scatterer).ReadvAt(to, 100); n != 2<<20 || err != nil {
			t.Fatalf("ReadvAt = %d, %v, want all", n, err)
		}
		if !bytes.Equal(to[0], content[100:100+1<<20]) || !bytes.Equal(to[2], content[100+1<<20:100+2<<20]) {
			t.Error("ReadvAt has read something else")
		}
		if len(to[0]) != 1<<20 || len(bytes.Trim(memory[1<<20:2<<20], "\x00")) != 0 || len(bytes.Trim(memory[3<<20:], "\x00")) != 0 {
			t.Error("ReadvAt has changed something besides")
		}
	}
}

// TestSmallReadingsAndWarmOnesUseTheCache.
func TestSmallReadingsAndWarmOnesUseTheCache(t *testing.T) {
	root, _ := largeFile(t, 2<<20)
	disk := &cold{FS: vfs.OS()}
	f := open(t, local.DirOn(disk, root))
	if _, err := f.ReadAt(make([]byte, 100<<10), 0); err != nil || disk.read() != 0 {
		t.Errorf("a small ReadAt = %v, want it through the cache", err)
	}
	if _, err := f.ReadAt(make([]byte, 2<<20), 0); err != nil || disk.read() != 2<<20 {
		t.Errorf("a large ReadAt = %v, want it past the cache", err)
	}
	direct := 0
	warm := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb == "open" {
			direct++
		}
		return nil
	})
	f = open(t, local.DirOn(warm, root)) // what was written just now is in the cache
	if _, err := f.ReadAt(make([]byte, 2<<20), 0); err != nil || direct != 1 {
		t.Errorf("a large warm ReadAt = %v, %d files opened, want it through the cache", err, direct)
	}
}

// refusingReads is a file system that reads only through its cache, and says so
// when such a file is opened, or only when it is read.
type refusingReads struct {
	vfs.FS
	onOpen bool
}

func (r refusingReads) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if flag&syscall.O_DIRECT == 0 {
		return r.FS.OpenFile(name, flag, perm)
	}
	if r.onOpen {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EINVAL}
	}
	f, err := r.FS.OpenFile(name, flag, perm)
	return noReads{f}, err
}

type noReads struct{ vfs.File }

func (noReads) ReadAt([]byte, int64) (int, error) { return 0, syscall.EINVAL }

func TestWhatIsNotReadPastTheCacheIsReadThroughIt(t *testing.T) {
	for _, onOpen := range []bool{true, false} {
		root, content := largeFile(t, 3<<20+1)
		f := open(t, local.DirOn(refusingReads{&cold{FS: vfs.OS()}, onOpen}, root))
		got := make([]byte, len(content))
		for range 2 {
			if n, err := f.ReadAt(got, 0); n != len(got) || err != nil || !bytes.Equal(got, content) {
				t.Errorf("ReadAt = %d, %v, want all as written", n, err)
			}
		}
	}
}

// TestAReplacedFileIsReadOn: the name is another file's when the second handle is
// opened by it.
func TestAReplacedFileIsReadOn(t *testing.T) {
	root, content := largeFile(t, 2<<20)
	f := open(t, local.DirOn(&cold{FS: vfs.OS()}, root))
	other := filepath.Join(root, "b")
	if err := os.WriteFile(other, text(2<<20 + 1)[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(content))
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, content) {
		t.Errorf("ReadAt = %v, the file that was opened: %v, want so", err, bytes.Equal(got, content))
	}
}

// TestEveryOperationOfALargeReadingMayFail: then it is read in the other way, or
// the error is told. Nothing else is read, and no buffer is lost.
func TestEveryOperationOfALargeReadingMayFail(t *testing.T) {
	inUse := local.SmallReading(t, 1, 1<<20)
	root, content := largeFile(t, 3<<20+17)
	for i, through := 0, false; !through; i++ {
		n, hit := 0, ""
		fsys := vfstest.Hook(&cold{FS: vfs.OS()}, func(op vfstest.Op) error {
			if n++; n-1 == i {
				hit = op.Verb
				return syscall.EIO
			}
			return nil
		})
		got := make([]byte, len(content))
		f, err := local.DirOn(fsys, root).Open(t.Context(), "a")
		if err == nil {
			n, failed := f.(scatterer).ReadvAt([][]byte{got[:50_000], got[50_000 : 2<<20], got[2<<20:]}, 0)
			if !bytes.Equal(got[:n], content[:n]) || failed == nil && n != len(got) {
				t.Errorf("EIO in operation %d (%s): other bytes were read", i, hit)
			}
			err = failed
			err = errors.Join(err, f.Close())
		}
		through = n <= i
		if err != nil && !errors.Is(err, syscall.EIO) {
			t.Errorf("EIO in operation %d (%s): error is %v", i, hit, err)
		}
		if hit == "close" && err == nil {
			t.Errorf("EIO in operation %d (close) is not told", i)
		}
		if taken := inUse(); taken != 0 {
			t.Errorf("EIO in operation %d (%s): %d buffers are taken", i, hit, taken)
		}
	}
}

// TestAReadingThatWaitsForABufferEndsWithItsContext.
func TestAReadingThatWaitsForABufferEndsWithItsContext(t *testing.T) {
	local.SmallReading(t, 0, 1<<20)
	root, _ := largeFile(t, 2<<20)
	ctx, cancel := context.WithCancel(t.Context())
	fsys := vfstest.Hook(&cold{FS: vfs.OS()}, func(op vfstest.Op) error {
		if op.Verb == "cachestat" {
			cancel()
		}
		return nil
	})
	f, err := local.DirOn(fsys, root).Open(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 2<<20), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadAt = %v, want context.Canceled", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSeveralReadPastTheCacheAtOnce(t *testing.T) {
	local.SmallReading(t, 2, 1<<20)
	root, content := largeFile(t, 4<<20)
	f := open(t, local.DirOn(&cold{FS: vfs.OS()}, root))
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			got := make([]byte, 3<<20)
			if _, err := f.ReadAt(got, int64(i)*1000); err != nil || !bytes.Equal(got, content[i*1000:][:3<<20]) {
				t.Errorf("ReadAt = %v, want what was written", err)
			}
		})
	}
	readers.Wait()
}
