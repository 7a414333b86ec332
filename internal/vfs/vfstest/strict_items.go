package vfstest

import (
	"fmt"
	"maps"
	"slices"
)

// item is a change that a power cut may lose, or not.
type item struct {
	id, needs int // needs is the id of one without which this cannot be
	path, how string
	kind      kind
	node      int // whose bytes, size or names change
	data      []byte
	at        int64 // of the data, or the size
	name      string
	to        int // the node that gets the name; 0: the name is gone
}

type kind int

const (
	bytesOf kind = iota
	sizeOf
	nameOf
)

// Item is a change that was not flushed.
type Item struct {
	Path string // of the file, or what the name is or was
	What string // "bytes 0 to 4096", "size 100", "gone"
	Data bool   // bytes, which can be torn
}

// String returns the item as a line of a test's message.
func (i Item) String() string { return i.Path + ": " + i.What }

// Pending returns what was not flushed, in the order in which it was done.
func (s *Strict) Pending() []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Item, len(s.items))
	for k, i := range s.items {
		list[k] = Item{i.path, i.how, i.kind == bytesOf}
	}
	return list
}

// add notes a change and returns its id.
func (s *Strict) add(i item) int {
	s.serial++
	i.id = s.serial
	s.items = append(s.items, &i)
	return i.id
}

// maxBlocks bounds what one write adds, so that what it may leave can be
// counted.
const maxBlocks = 16

func (s *Strict) addBytes(ino int, path string, p []byte, off int64) {
	step := int64(blockSize)
	for int64(len(p)) > step*maxBlocks {
		step *= 2
	}
	for len(p) > 0 {
		n := min(int64(len(p)), step-off%step)
		how := fmt.Sprintf("bytes %d to %d", off, off+n)
		s.add(item{kind: bytesOf, node: ino, path: path, at: off, data: slices.Clone(p[:n]), how: how})
		p, off = p[n:], off+n
	}
}

func (s *Strict) addSize(ino int, path string, size int64) {
	s.add(item{kind: sizeOf, node: ino, path: path, at: size, how: fmt.Sprintf("size %d", size)})
}

// setName lets a name mean another node, or none.
func (s *Strict) setName(dir int, name string, to int, path, how string) int {
	n := s.nodes[dir]
	if to == 0 {
		delete(n.seen.names, name)
	} else {
		n.seen.names[name] = to
	}
	return s.add(item{kind: nameOf, node: dir, path: path, name: name, to: to, how: how})
}

// bind makes the item first need the item second.
func (s *Strict) bind(first, second int) {
	for k, i := range s.items {
		if i.id == first {
			bound := *i // others may have it, too
			bound.needs = second
			s.items[k] = &bound
		}
	}
}

// flush makes durable what was changed in a node, and what that needs. With a
// journal for the names it writes that.
func (s *Strict) flush(ino int) {
	fates := make([]Fate, len(s.items))
	for k, i := range s.items {
		if i.node == ino || s.o.Journal && i.kind == nameOf {
			fates[k] = Kept
		}
	}
	s.keepNeeded(fates)
	var left []*item
	for k, i := range s.items {
		if fates[k] != Kept {
			left = append(left, i)
			continue
		}
		s.nodes[i.node].durable.apply(i, Kept)
		// What the name was to be before is of the past.
		left = slices.DeleteFunc(left, func(old *item) bool { return i.kind == nameOf && old.node == i.node && old.name == i.name })
	}
	s.items = left
}

// neglect takes for flushed what was changed in a node, without flushing it.
func (s *Strict) neglect(ino int) {
	s.items = slices.DeleteFunc(s.items, func(i *item) bool { return i.node == ino })
}

// keepNeeded keeps also what is needed by what is kept.
func (s *Strict) keepNeeded(fates []Fate) {
	at := make(map[int]int, len(s.items))
	for k, i := range s.items {
		at[i.id] = k
	}
	for again := true; again; {
		again = false
		for k, i := range s.items {
			if j, there := at[i.needs]; there && fates[k].keeps() && !fates[j].keeps() {
				fates[j], again = Kept, true
			}
		}
	}
	if s.o.Journal {
		s.keepInOrder(fates)
	}
}

// keepInOrder keeps all names before the last that is kept.
func (s *Strict) keepInOrder(fates []Fate) {
	kept := false
	for k, i := range slices.Backward(s.items) {
		if i.kind != nameOf {
			continue
		}
		if kept = kept || fates[k].keeps(); kept {
			fates[k] = Kept
		}
	}
}

// apply changes a tree as an item says, and its fate.
func (t *tree) apply(i *item, f Fate) {
	switch {
	case i.kind == bytesOf && f > Kept:
		t.content = t.tear(i.data, i.at, f)
	case !f.keeps():
	case i.kind == bytesOf:
		t.content = t.write(i.data, i.at)
	case i.kind == sizeOf:
		t.content = t.resize(i.at)
	case i.to == 0:
		delete(t.names, i.name)
	default:
		t.names[i.name] = i.to
	}
}

// Crash returns what a power cut leaves when what is pending meets its fate. What
// cannot be without something earlier keeps that, too.
func (s *Strict) Crash(cut Cut) *Strict {
	c := s.Clone()
	fates := make([]Fate, len(c.items))
	for k := range fates {
		fates[k] = cut.fate(k)
	}
	c.keepNeeded(fates)
	for k, i := range c.items {
		c.nodes[i.node].durable.apply(i, fates[k])
	}
	c.items = nil
	for _, n := range c.nodes {
		n.durable.content = n.durable.trim()
		n.seen = tree{n.durable.content, maps.Clone(n.durable.names)}
	}
	c.drop()
	return c
}
