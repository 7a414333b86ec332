package local_test

import (
	"fmt"
	"hash/crc32"
	"io/fs"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// cachedOnly is a file system that takes no writes past its cache.
type cachedOnly struct{ vfs.FS }

func (c cachedOnly) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if flag&syscall.O_DIRECT != 0 {
		return nil, fs.ErrInvalid
	}
	return c.FS.OpenFile(name, flag, perm)
}

// BenchmarkCommit writes and commits a file as a format does: a piece, and then
// its checksum.
func BenchmarkCommit(b *testing.B) {
	tensor := make([]byte, 256<<20)
	for i := range tensor {
		tensor[i] = byte(i * i >> 8)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, size := range []int{1 << 20, 64 << 20, 1 << 30} {
		for _, way := range []struct {
			name string
			fsys vfs.FS
		}{{"direct", vfs.OS()}, {"cached", cachedOnly{vfs.OS()}}} {
			b.Run(fmt.Sprintf("%dMiB/%s", size>>20, way.name), func(b *testing.B) {
				d := local.DirOn(way.fsys, b.TempDir())
				b.SetBytes(int64(size))
				for b.Loop() {
					p, err := d.Create(b.Context(), "a")
					if err != nil {
						b.Fatal(err)
					}
					sum := uint32(0)
					for at := 0; at < size; at += 256 << 10 {
						piece := tensor[at%len(tensor):][:256<<10]
						if _, err := p.Write(piece); err != nil {
							b.Fatal(err)
						}
						sum = crc32.Update(sum, table, piece)
					}
					if err := p.Commit(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
