package vfstest

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// Fate is what becomes of an item: Lost, Kept or Torn.
type Fate uint64

// Lost and Kept are the fates of items that are not torn.
const (
	Lost Fate = iota
	Kept
)

// Torn is the fate of bytes of which each sector is on the disk, or not, or
// is garbage, as a seed has it. Of what has no bytes it is Lost or Kept.
func Torn(seed uint64) Fate { return Fate(seed | 2) }

func (f Fate) keeps() bool { return f&1 == 1 }

// tear writes sectors of p, or garbage in their place, or leaves what was there.
func (c content) tear(p []byte, off int64, f Fate) content {
	r := rand.New(rand.NewPCG(uint64(f), uint64(off)))
	for len(p) > 0 {
		n := min(int64(len(p)), sectorSize-off%sectorSize)
		sector := slices.Clone(p[:n])
		switch r.IntN(5) {
		case 0, 1:
			c = c.write(sector, off)
		case 2:
			for i := range sector {
				sector[i] = byte(r.Uint32())
			}
			c = c.write(sector, off)
		}
		p, off = p[n:], off+n
	}
	return c
}

// Cut is a power cut: a fate for each pending item.
type Cut struct {
	Name string // "none", "all", "only 3", "all but 3", "random 17"
	fate func(i int) Fate
}

// CutBy returns a power cut that leaves what fate says.
func CutBy(name string, fate func(i int) Fate) Cut { return Cut{name, fate} }

// LoseAll is the power cut that loses whatever was not flushed.
func LoseAll() Cut { return CutBy("none", func(int) Fate { return Lost }) }

// KeepAll is the power cut that loses nothing.
func KeepAll() Cut { return CutBy("all", func(int) Fate { return Kept }) }

// Cuts yields the power cuts to try: what was not flushed is all lost, all
// kept; each item alone kept; each alone lost, with what needs it; and some at
// random, with torn bytes among them.
func (s *Strict) Cuts(random int, seed uint64) iter.Seq[Cut] {
	return func(yield func(Cut) bool) {
		n := len(s.Pending())
		if !yield(LoseAll()) || n == 0 || !yield(KeepAll()) {
			return
		}
		for i := range n {
			if n > 1 && (!yield(only(i)) || !yield(s.allBut(i))) {
				return
			}
		}
		for i := range random {
			if !yield(atRandom(seed + uint64(i))) {
				return
			}
		}
	}
}

// CutNamed returns the cut of that name, to try it again.
func (s *Strict) CutNamed(name string) (Cut, error) {
	var seed uint64
	if _, err := fmt.Sscanf(name, "random %d", &seed); err == nil {
		return atRandom(seed), nil
	}
	for c := range s.Cuts(0, 0) {
		if c.Name == name {
			return c, nil
		}
	}
	return Cut{}, fmt.Errorf("no cut %q with %d items pending", name, len(s.Pending()))
}

func only(i int) Cut {
	return CutBy(fmt.Sprintf("only %d", i), func(k int) Fate {
		if k == i {
			return Kept
		}
		return Lost
	})
}

// allBut loses one item, and what cannot be without it.
func (s *Strict) allBut(i int) Cut {
	lost := map[int]bool{i: true}
	id := s.items[i].id
	for k, it := range s.items {
		if it.needs == id || s.o.Journal && it.kind == nameOf && s.items[i].kind == nameOf && k > i {
			lost[k] = true
		}
	}
	return CutBy(fmt.Sprintf("all but %d", i), func(k int) Fate {
		if lost[k] {
			return Lost
		}
		return Kept
	})
}

// atRandom draws for all items first how likely they are to be kept: with even
// odds for many of them, all or none would never come up.
func atRandom(seed uint64) Cut {
	odds := rand.New(rand.NewPCG(seed, 0)).Float64()
	return CutBy(fmt.Sprintf("random %d", seed), func(i int) Fate {
		r := rand.New(rand.NewPCG(seed, uint64(i)+1))
		switch {
		case r.IntN(4) == 0:
			return Torn(r.Uint64())
		case r.Float64() < odds:
			return Kept
		}
		return Lost
	})
}

// Digest returns the same for states that look the same: names, and the
// bytes of files. Of those that are blind it has only how many there are in
// each directory. Times are not in it.
func (s *Strict) Digest(blind func(name string) bool) [sha256.Size]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := sha256.New()
	s.digest(h, rootNode, blind)
	return [sha256.Size]byte(h.Sum(nil))
}

func (s *Strict) digest(h hash.Hash, ino int, blind func(string) bool) {
	n := s.nodes[ino]
	if !n.dir {
		p := make([]byte, n.seen.size)
		n.seen.read(p, 0)
		fmt.Fprintf(h, "file %d ", len(p))
		h.Write(p)
		return
	}
	hidden := 0
	for _, name := range slices.Sorted(maps.Keys(n.seen.names)) {
		if blind(name) {
			hidden++
			continue
		}
		fmt.Fprintf(h, "%q ", name)
		s.digest(h, n.seen.names[name], blind)
	}
	fmt.Fprintf(h, "and %d, end ", hidden)
}
