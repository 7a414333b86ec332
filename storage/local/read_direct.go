package local

import (
	"os"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// largeRead is what is worth a look whether the system has it in its cache.
const largeRead = 1 << 20

// places are where bytes go that lie side by side in a file: to one after the
// other.
type places struct {
	list [][]byte
	at   int // of the first of list
	left int // bytes of all
}

func placesOf(list [][]byte) places {
	p := places{list: list}
	for _, b := range list {
		p.left += len(b)
	}
	return p
}

// next returns the place of the next bytes, which is not empty while there are
// any left.
func (p *places) next() []byte {
	for len(p.list) > 0 && p.at == len(p.list[0]) {
		p.list, p.at = p.list[1:], 0
	}
	if len(p.list) == 0 {
		return nil
	}
	return p.list[0][p.at:]
}

// filled tells that the next n bytes are where they belong.
func (p *places) filled(n int) { p.at, p.left = p.at+n, p.left-n }

// take copies of data what there is a place for.
func (p *places) take(data []byte) {
	for len(data) > 0 && p.left > 0 {
		n := copy(p.next(), data[:min(len(data), maxCopy)])
		p.filled(n)
		data = data[n:]
	}
}

// isCold reports whether less than half of a large reading is in the system's
// cache. A system that cannot tell reads through it.
func (f *file) isCold(n int, off int64) bool {
	asked, ok := f.File.(vfs.Cacher)
	if !ok || n < largeRead || off < 0 || f.d.cachedReads.Load() {
		return false
	}
	has, err := asked.InCache(off, int64(n))
	if err != nil {
		f.d.cachedReads.Store(true)
		return false
	}
	return has < int64(n)/2
}

// readPast reads past the cache as much as it can, and leaves the rest, with
// whatever is wrong with that, to a reading through it.
func (f *file) readPast(to *places, off int64) error {
	direct := f.openDirect()
	if direct == nil {
		return nil
	}
	buf, err := reading.wait(f.ctx)
	if buf == nil {
		return err
	}
	defer reading.give(buf)
	for to.left > 0 && f.ctx.Err() == nil {
		before := to.left
		whole := readBlocks(direct, buf, to, off)
		if off += int64(before - to.left); !whole {
			return nil
		}
	}
	return f.ctx.Err()
}

// readBlocks reads the blocks in which the bytes from off on are, or as many of
// them as buf holds, and copies those bytes to where they belong. It is false at
// the end of the file and if the reading fails.
func readBlocks(direct vfs.File, buf []byte, to *places, off int64) (whole bool) {
	head := int(off & (blockSize - 1))
	want := min(len(buf), (head+to.left+blockSize-1)&^(blockSize-1))
	got, err := direct.ReadAt(buf[:want], off-int64(head))
	to.take(buf[min(head, got):got])
	return err == nil && got == want
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
