package tensorbundle

import (
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// maxGap is how many bytes that nobody asked for may lie between two entries that
// are read together. To read them takes less than to ask a disk once more.
const maxGap = 16 << 10

// group are entries of one data file that lie side by side, and are read
// together, in few readings that care nothing for where one ends.
type group struct {
	keeps   bool // what is read; else it is only verified
	swaps   bool // the elements' bytes
	members []member

	parts []part   // of one reading
	to    [][]byte // where they go
	gap   []byte
}

// member is an entry of a group.
type member struct {
	*section
	dst []byte // nil if the group keeps nothing
}

// part is what one reading reads of a member, or between two.
type part struct {
	of  *member // nil: of none
	buf []byte
}

// join makes an entry a member of g, after what g has was read if they are not
// neighbours. Its bytes exist when room is asked for them.
func (r *Reader) join(g *group, s *stored, room func() ([]byte, error)) error {
	section, err := r.section(&s.Entry)
	if err != nil {
		return err
	}
	m := member{section: section}
	if g.keeps {
		if m.dst, err = room(); err != nil {
			return err
		}
	}
	if !g.takes(section) {
		if err := g.read(); err != nil {
			return err
		}
	}
	g.members = append(g.members, m)
	return nil
}

// takes reports whether an entry can be read with those that are in the group. So
// much may be in one that it takes several readings, not so much that several
// readers would be faster.
func (g *group) takes(s *section) bool {
	if len(g.members) == 0 {
		return true
	}
	first, last := g.members[0], g.members[len(g.members)-1]
	gap := s.pos - last.end
	return s.entry.Shard == last.entry.Shard && gap >= 0 && gap <= maxGap && s.end-first.pos <= splitSize
}

// read reads and verifies the members, and leaves the group empty. The error is
// that of the first that has one.
func (g *group) read() error {
	members := g.members
	g.members = g.members[:0]
	var scratch []byte
	if !g.keeps && len(members) > 0 {
		buf := scans.Get().(*[scanSize]byte)
		defer scans.Put(buf)
		scratch = buf[:]
	}
	for len(members) > 0 {
		n, err := g.readSome(members, scratch)
		if err != nil {
			return err
		}
		members = members[n:]
	}
	return nil
}

// readSome reads once, from the first of the members on, and returns how many
// that has completed.
func (g *group) readSome(members []member, scratch []byte) (done int, err error) {
	off := members[0].pos
	g.plan(members, off+int64(evenStep(int(members[len(members)-1].end-off))), scratch)
	n, err := format.ReadvAt(members[0].file, g.to, off)
	for _, p := range g.parts {
		got := p.buf[:min(len(p.buf), n)]
		n -= len(got)
		if p.of == nil {
			continue
		}
		p.of.took(got)
		if len(got) < len(p.buf) {
			return 0, p.of.ended(err)
		}
		if p.of.pos == p.of.end {
			if err := g.complete(p.of); err != nil {
				return 0, err
			}
			done++
		}
	}
	return done, nil
}

// plan lists what is read from the first of the members on, up to the byte end of
// the file at most: into scratch, or else to where it belongs.
func (g *group) plan(members []member, end int64, scratch []byte) {
	g.parts, g.to = g.parts[:0], g.to[:0]
	begin := members[0].pos
	off := begin
	put := func(of *member, size int64, buf []byte) {
		if scratch != nil {
			buf = scratch[off-begin:]
		}
		g.parts = append(g.parts, part{of, buf[:size]})
		g.to = append(g.to, buf[:size])
		off += size
	}
	for i := range members {
		m := &members[i]
		size := min(m.end, end) - m.pos
		if size < 0 || size == 0 && m.pos < m.end {
			break
		}
		if m.pos > off {
			put(nil, m.pos-off, g.skipped())
		}
		put(m, size, m.dst[min(m.pos-m.entry.Offset, int64(len(m.dst))):])
	}
	if scratch != nil {
		g.to = append(g.to[:0], scratch[:off-begin])
	}
}

// skipped is where bytes go between two members.
func (g *group) skipped() []byte {
	if g.gap == nil {
		g.gap = make([]byte, maxGap)
	}
	return g.gap
}

// complete verifies a member of which all is read.
func (g *group) complete(m *member) error {
	if err := m.done(m.crc); err != nil {
		return err
	}
	if g.swaps && m.dst != nil {
		tensor.SwapBytes(m.entry.DType, m.dst)
	}
	return nil
}
