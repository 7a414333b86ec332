package vfstest

import "slices"

const (
	blockSize  = 4096 // what a file system writes at once, or loses
	sectorSize = 512  // what a disk writes whole, or not at all
)

// content is what a file holds. It never changes: what is written gives a new
// one, which shares the blocks that stay. So states are cheap to keep.
type content struct {
	blocks []*[blockSize]byte // nil: zeros, as behind the end of the list
	size   int64
}

// read copies what there is at off, and returns how much that was.
func (c content) read(p []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	p = p[:min(int64(len(p)), c.size-off)]
	for n := 0; n < len(p); {
		at := off + int64(n)
		end := min(len(p), n+blockSize-int(at%blockSize))
		if b := c.block(at / blockSize); b != nil {
			copy(p[n:end], b[at%blockSize:])
		} else {
			clear(p[n:end])
		}
		n = end
	}
	return len(p)
}

func (c content) block(i int64) *[blockSize]byte {
	if i < int64(len(c.blocks)) {
		return c.blocks[i]
	}
	return nil
}

// write puts p at off. It leaves the size alone: bytes behind it are on the
// disk already, but not seen.
func (c content) write(p []byte, off int64) content {
	c.blocks = slices.Clone(c.blocks)
	for len(p) > 0 {
		i := off / blockSize
		if need := int(i) + 1 - len(c.blocks); need > 0 {
			c.blocks = append(c.blocks, make([]*[blockSize]byte, need)...)
		}
		b := new([blockSize]byte)
		if c.blocks[i] != nil {
			*b = *c.blocks[i]
		}
		n := copy(b[off%blockSize:], p)
		c.blocks[i] = b
		p, off = p[n:], off+int64(n)
	}
	return c
}

// resize sets the size. A file that becomes shorter has zeros there, should it
// grow again.
func (c content) resize(size int64) content {
	if size < c.size {
		c.size = size
		c = c.trim()
	}
	c.size = size
	return c
}

// trim forgets what is behind the end.
func (c content) trim() content {
	full := c.size / blockSize
	if int64(len(c.blocks)) <= full {
		return c
	}
	last := c.blocks[full]
	c.blocks = slices.Clone(c.blocks[:full])
	if in := c.size % blockSize; last != nil && in > 0 {
		b := new([blockSize]byte)
		copy(b[:in], last[:])
		c.blocks = append(c.blocks, b)
	}
	return c
}
