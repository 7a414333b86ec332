package publish

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn are rules, tensors and files of any kind.
func drawn(t *rapid.T) (r Rules, items []item, files []facts) {
	r = Rules{Rewrite: rapid.IntRange(0, 4).Draw(t, "rewrite"), File: rapid.Int64Range(0, 40).Draw(t, "least")}
	for i := range rapid.IntRange(0, 5).Draw(t, "files") {
		files = append(files, facts{
			name:   fmt.Sprintf("data-%02d", (i*7)%11),
			uses:   rapid.Int64Range(1, 5).Draw(t, "uses"),
			barred: rapid.IntRange(0, 5).Draw(t, "barred") == 0,
			size:   rapid.Int64Range(0, 30).Draw(t, "dead"),
		})
	}
	for range rapid.IntRange(0, 12).Draw(t, "tensors") {
		one := item{bytes: rapid.Int64Range(1, 20).Draw(t, "bytes"), steady: rapid.Bool().Draw(t, "steady")}
		one.at = rapid.IntRange(-1, len(files)-1).Draw(t, "at")
		if one.at >= 0 {
			files[one.at].size += one.bytes
		}
		items = append(items, one)
	}
	return r, items, files
}

// TestSplitDoesWhatItSays says again, one file and one tensor at a time, what is
// linked, and where everything goes.
func TestSplitDoesWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, items, files := drawn(t)
		s := r.split(items, files)
		var links, want []int
		for i, f := range files {
			var used int64
			for _, one := range items {
				if one.at == i {
					used += one.bytes
				}
			}
			old := r.Rewrite > 0 && f.uses >= int64(r.Rewrite)
			if used > 0 && used >= r.File && 2*used >= f.size && !old && !f.barred {
				links = append(links, i)
			}
		}
		want = slices.Sorted(slices.Values(s.links))
		if !slices.Equal(links, want) {
			t.Fatalf("split links files %v, want %v", want, links)
		}
		if !slices.IsSortedFunc(s.links, func(a, b int) int { return cmp.Compare(files[a].name, files[b].name) }) {
			t.Fatalf("split links %v: not by name", s.links)
		}
		holds := make(map[int]string)
		for i, one := range items {
			kind := "changes"
			if n := slices.Index(s.links, one.at); n >= 0 {
				if !s.isLinked(i) || s.to[i] != s.writes+n {
					t.Fatalf("tensor %d goes to %d, want file %d, which is linked", i, s.to[i], s.writes+n)
				}
				continue
			} else if one.steady || one.at >= 0 {
				kind = "does not"
			}
			if s.isLinked(i) || holds[s.to[i]] != "" && holds[s.to[i]] != kind {
				t.Fatalf("tensor %d (%s) goes to file %d, which is of what %s", i, kind, s.to[i], holds[s.to[i]])
			}
			holds[s.to[i]] = kind
		}
		if len(holds) != s.writes || s.writes == 2 && holds[0] != "changes" {
			t.Fatalf("files %v are written, want %d", holds, s.writes)
		}
	})
}

// TestOnlySoManyFilesAreLinked: a reader opens each, and each adds names.
func TestOnlySoManyFilesAreLinked(t *testing.T) {
	var items []item
	var files []facts
	for i := range 3 * maxLinked {
		items = append(items, item{bytes: int64(100 + i), at: i})
		files = append(files, facts{name: fmt.Sprintf("data-%03d", i), size: int64(100 + i), uses: 1})
	}
	s := Rules{}.split(items, files)
	if len(s.links) != maxLinked || slices.Min(s.links) != 2*maxLinked || s.writes != 1 {
		t.Errorf("split links %v and writes %d files, want the %d that are used most and 1", s.links, s.writes, maxLinked)
	}
}

// life is a checkpoint's tensors, saved again and again, and what its files hold.
type life struct {
	rules  Rules
	values []int // of each tensor, as the program has them
	steady []bool
	sizes  []int64
	base   []held
}

// held is a data file: which tensors it has, with which values.
type held struct {
	facts
	has map[int]int // value by tensor
}

// TestLivesOfFiles saves a model whose tensors change as they like: every save
// has every tensor once with its value, no file is in more checkpoints than
// the rules say, and the bytes of no use are never more than those of use.
func TestLivesOfFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{rules: Rules{Rewrite: rapid.IntRange(0, 4).Draw(t, "rewrite"), File: 10}}
		for range rapid.IntRange(1, 6).Draw(t, "tensors") {
			l.values, l.steady = append(l.values, 0), append(l.steady, rapid.IntRange(0, 3).Draw(t, "steady") == 0)
			l.sizes = append(l.sizes, rapid.Int64Range(1, 50).Draw(t, "bytes"))
		}
		for range rapid.IntRange(1, 12).Draw(t, "saves") {
			for i := range l.values {
				if rapid.IntRange(0, 2).Draw(t, "changes") == 0 {
					l.values[i]++
				}
			}
			l.save(t)
		}
	})
}

func (l *life) save(t *rapid.T) {
	var items []item
	for i, v := range l.values {
		one := item{bytes: l.sizes[i], at: -1, steady: l.steady[i]}
		for n, f := range l.base {
			if is, there := f.has[i]; there && is == v {
				one.at = n
			}
		}
		items = append(items, one)
	}
	var all []facts
	for _, f := range l.base {
		all = append(all, f.facts)
	}
	s := l.rules.split(items, all)
	next := make([]held, s.writes)
	for i := range next {
		next[i] = held{facts: facts{uses: 1}, has: make(map[int]int)}
	}
	for i, v := range l.values {
		if f := s.to[i]; !s.isLinked(i) {
			next[f].has[i] = v
			next[f].size += l.sizes[i]
		}
	}
	for _, from := range s.links {
		f := l.base[from]
		now := held{facts: f.facts, has: make(map[int]int)}
		now.uses++
		for i, v := range l.values {
			if s.to[i] == len(next) && f.has[i] == v {
				now.has[i] = v
			}
		}
		next = append(next, now)
	}
	l.check(t, next)
	for i := range next {
		next[i].name = fmt.Sprintf("data-%02d", i)
	}
	l.base = next
}

func (l *life) check(t *rapid.T, files []held) {
	got := make(map[int]int)
	for n, f := range files {
		var used int64
		for i, v := range f.has {
			if _, twice := got[i]; twice || v != l.values[i] {
				t.Fatalf("tensor %d is in file %d with %d, twice %v, want %d once", i, n, v, twice, l.values[i])
			}
			got[i] = v
			used += l.sizes[i]
		}
		if 2*used < f.size {
			t.Fatalf("file %d has %d bytes, of which %d are in use", n, f.size, used)
		}
		if l.rules.Rewrite > 0 && f.uses > int64(l.rules.Rewrite) {
			t.Fatalf("file %d is in %d checkpoints, want %d at most", n, f.uses, l.rules.Rewrite)
		}
	}
	if len(got) != len(l.values) {
		t.Fatalf("tensors %v are saved, want %d", got, len(l.values))
	}
}
