package local

import (
	"os"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// largeRead is what is worth a look whether the system has it in its cache.
const largeRead = 1 << 20

// isCold reports whether less than half of a large reading is in the system's
// cache. A system that cannot tell reads through it.
func (f *file) isCold(b []byte, off int64) bool {
	asked, ok := f.File.(vfs.Cacher)
	if !ok || len(b) < largeRead || off < 0 || f.d.cachedReads.Load() {
		return false
	}
	has, err := asked.InCache(off, int64(len(b)))
	if err != nil {
		f.d.cachedReads.Store(true)
		return false
	}
	return has < int64(len(b))/2
}

// readPast reads past the cache as much as it can, and leaves the rest, with
// whatever is wrong with that, to a reading through it.
func (f *file) readPast(b []byte, off int64) (n int, err error) {
	direct := f.openDirect()
	if direct == nil {
		return 0, nil
	}
	buf, err := reading.wait(f.ctx)
	if buf == nil {
		return 0, err
	}
	defer reading.give(buf)
	for n < len(b) && f.ctx.Err() == nil {
		m, whole := readBlocks(direct, buf, b[n:], off+int64(n))
		if n += m; !whole {
			return n, nil
		}
	}
	return n, f.ctx.Err()
}

// readBlocks reads the blocks that b is in, from off on, or as many of them as
// buf holds, and copies b's part of them. whole is false at the end of the file
// and if the reading fails.
func readBlocks(direct vfs.File, buf, b []byte, off int64) (n int, whole bool) {
	head := int(off & (blockSize - 1))
	want := min(len(buf), (head+len(b)+blockSize-1)&^(blockSize-1))
	got, err := direct.ReadAt(buf[:want], off-int64(head))
	for data := buf[min(head, got):got]; len(data) > 0 && n < len(b); {
		m := copy(b[n:], data[:min(len(data), maxCopy)])
		n, data = n+m, data[m:]
	}
	return n, err == nil && got == want
}

// openDirect opens the file a second time. Under its name may be another by now,
// and a system may refuse; then there is none.
func (f *file) openDirect() vfs.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cached || f.direct != nil {
		return f.direct
	}
	f.cached = true
	direct, err := f.d.fsys.OpenFile(f.path, os.O_RDONLY|directFlag, 0)
	if err != nil {
		return nil
	}
	if !sameFile(f.File, direct) {
		_ = direct.Close() // nothing was read from it
		return nil
	}
	f.direct, f.cached = direct, false
	return direct
}

func sameFile(f, g vfs.File) bool {
	one, err := f.Stat()
	two, failed := g.Stat()
	return err == nil && failed == nil && os.SameFile(one, two)
}
