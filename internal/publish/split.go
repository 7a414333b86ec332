package publish

import (
	"cmp"
	"slices"
)

// Rules say which data files of the save before are linked.
type Rules struct {
	Rewrite int   // how many checkpoints may share a file; 0: any number
	Tensor  int64 // tensors of fewer bytes are always written
	File    int64 // nor is a file linked of which fewer bytes have not changed
}

// maxLinked bounds the data files of a checkpoint, of which a reader opens each.
const maxLinked = 32

// item is a tensor as the rules see it.
type item struct {
	bytes  int64
	at     int  // file of the base that holds just this; negative: none
	steady bool // where it is written, it goes to what does not change
}

// facts are what the rules go by of a file of the base.
type facts struct {
	name   string
	size   int64
	uses   int64 // checkpoints that have it
	barred bool  // it cannot be linked
}

// split says where tensors go: to at most two files that are written, first what
// changes and then what does not, and to those that are linked, by their names.
type split struct {
	to     []int // file of each item
	writes int   // files that are written
	links  []int // files of the base that the others are
}

// isLinked reports whether item i need not be written.
func (s *split) isLinked(i int) bool { return s.to[i] >= s.writes }

// split deals items out. A file is linked if half of it at least is in use now:
// so the bytes of no use in all linked files are never more than those of use.
// What of the others has not changed is written into a file of its own, which
// has no such bytes from then on.
func (r Rules) split(items []item, files []facts) split {
	s := split{to: make([]int, len(items)), links: r.links(items, files)}
	linked := make(map[int]int)
	for i, f := range s.links {
		linked[f] = i
	}
	var has [2]bool // something that changes, and what does not
	for i, t := range items {
		n, is := linked[t.at]
		switch {
		case is:
			s.to[i] = 2 + n
			continue
		case t.steady || t.at >= 0:
			s.to[i] = 1
		}
		has[s.to[i]] = true
	}
	s.number(has)
	return s
}

// links returns the files to be linked.
func (r Rules) links(items []item, files []facts) []int {
	used := make([]int64, len(files))
	for _, t := range items {
		if t.at >= 0 {
			used[t.at] += t.bytes
		}
	}
	var links []int
	for i, f := range files {
		young := r.Rewrite == 0 || f.uses < int64(r.Rewrite)
		if !f.barred && young && used[i] > 0 && used[i] >= r.File && used[i] >= f.size-used[i] {
			links = append(links, i)
		}
	}
	slices.SortFunc(links, func(a, b int) int { return cmp.Or(cmp.Compare(used[b], used[a]), cmp.Compare(a, b)) })
	links = links[:min(len(links), maxLinked)]
	slices.SortFunc(links, func(a, b int) int { return cmp.Compare(files[a].name, files[b].name) })
	return links
}

// number closes the gap that a file without tensors would be.
func (s *split) number(has [2]bool) {
	at := [2]int{0, 1}
	if !has[0] {
		at[1] = 0
	}
	for _, is := range has {
		if is {
			s.writes++
		}
	}
	for i, n := range s.to {
		if n < 2 {
			s.to[i] = at[n]
		} else {
			s.to[i] = s.writes + n - 2
		}
	}
}
