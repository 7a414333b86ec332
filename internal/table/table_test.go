package table_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/table"
	"pgregory.net/rapid"
)

func build(t testing.TB, all [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := table.NewWriter(&b)
	for _, e := range all {
		if err := w.Add([]byte(e[0]), []byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriterGivesTensorFlowsBytes(t *testing.T) {
	want := unhex(t, halfPlusTwo)
	all, err := list(want)
	if err != nil || len(all) != 4 {
		t.Fatalf("list(half_plus_two) = %q, %v", all, err)
	}
	if got := build(t, all); !bytes.Equal(got, want) {
		t.Errorf("rewritten:\n%x\nwant:\n%x", got, want)
	}
}

func TestAnEmptyTableHasNoBlocks(t *testing.T) {
	if all, err := list(build(t, nil)); err != nil || all != nil {
		t.Errorf("list(empty) = %q, %v", all, err)
	}
}

// layout returns, for each data block, its index key and number of entries.
func layout(t testing.TB, file []byte) (s []string) {
	t.Helper()
	r, err := table.NewReader(bytes.NewReader(file), int64(len(file)), "index")
	if err != nil {
		t.Fatal(err)
	}
	data, _, index := r.Handles()
	keys, err := r.Block(index)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for e, err := range keys.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Block(data[i])
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		s = append(s, fmt.Sprintf("%q %d", e.Key, n))
		i++
	}
	return s
}

func TestBlocksEndWhereTensorFlowEndsThem(t *testing.T) {
	kib := func(n int) string { return strings.Repeat("v", n<<10) }
	for _, c := range []struct {
		name string
		all  [][2]string
		want []string
	}{
		// 256 KiB make a block full; the key in the index is as short as can be.
		{"full", [][2]string{{"", "h"}, {"alpha", kib(255)}, {"beta", kib(1)}, {"delta", "x"}}, []string{`"c" 3`, `"e" 1`}},
		// 512 KiB and more do not join entries already waiting.
		{"large", [][2]string{{"", "h"}, {"a", kib(512)}, {"b", "x"}}, []string{`"" 1`, `"a" 1`, `"c" 1`}},
		{"just not large", [][2]string{{"", "h"}, {"a", kib(512)[2:]}, {"b", "x"}}, []string{`"a" 2`, `"c" 1`}},
		{"large first", [][2]string{{"a", kib(512)}, {"ab", kib(512)}}, []string{`"a" 1`, `"b" 1`}},
		{"ff", [][2]string{{"a\xff", kib(512)}, {"b", kib(512)}, {"\xff\xff", "x"}}, []string{`"a\xff" 1`, `"c" 1`, `"\xff\xff" 1`}},
	} {
		file := build(t, c.all)
		if got := layout(t, file); !slices.Equal(got, c.want) {
			t.Errorf("%s: blocks %v, want %v", c.name, got, c.want)
		}
		if got, err := list(file); err != nil || !slices.Equal(got, c.all) {
			t.Errorf("%s: reads back differently: %v", c.name, err)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`(model/)?(layer[0-9]/)?[a-c]{0,3}`)
		want := rapid.MapOf(key, rapid.StringN(0, 20, -1)).Draw(t, "entries")
		if rapid.IntRange(0, 3).Draw(t, "large") == 0 {
			want["model/large"] = strings.Repeat("x", rapid.IntRange(200<<10, 600<<10).Draw(t, "size"))
		}
		var all [][2]string
		for _, k := range slices.Sorted(maps.Keys(want)) {
			all = append(all, [2]string{k, want[k]})
		}
		var b bytes.Buffer
		w := table.NewWriter(&b)
		for _, e := range all {
			if err := w.Add([]byte(e[0]), []byte(e[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := list(b.Bytes()); err != nil || !slices.Equal(got, all) {
			t.Fatalf("list = %q, %v, want %q", got, err, all)
		}
		checkSearch(t, b.Bytes(), all, key.Draw(t, "sought"))
	})
}

func checkSearch(t *rapid.T, file []byte, all [][2]string, sought string) {
	r, err := table.NewReader(bytes.NewReader(file), int64(len(file)), "index")
	if err != nil {
		t.Fatal(err)
	}
	i, found := slices.BinarySearchFunc(all, sought, func(e [2]string, k string) int { return strings.Compare(e[0], k) })
	e, ok, err := r.Get([]byte(sought))
	if err != nil || ok != found || (found && string(e.Value) != all[i][1]) {
		t.Fatalf("Get(%q) = %q, %v, %v", sought, e.Value, ok, err)
	}
	for e, err := range r.From([]byte(sought)) {
		if err != nil || string(e.Key) != all[i][0] {
			t.Fatalf("From(%q): key %q, %v, want %q", sought, e.Key, err, all[i][0])
		}
		i++
	}
	if i != len(all) {
		t.Fatalf("From(%q) ends before %q", sought, all[i][0])
	}
}

func TestKeysMustRise(t *testing.T) {
	for _, next := range []string{"b", "a", ""} {
		w := table.NewWriter(&bytes.Buffer{})
		if err := w.Add([]byte("b"), nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Add([]byte(next), nil); err == nil {
			t.Errorf("Add(%q) after %q succeeds", next, "b")
		}
		if err := w.Close(); err == nil {
			t.Error("Close succeeds after a failed Add")
		}
	}
}

func TestNothingIsWrittenAfterClose(t *testing.T) {
	var b bytes.Buffer
	w := table.NewWriter(&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n := b.Len()
	if w.Add([]byte("a"), nil) == nil || w.Close() == nil || b.Len() != n {
		t.Errorf("after Close: %d bytes more, or no error", b.Len()-n)
	}
}

// full is a disk with room for n bytes.
type full struct{ n int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.n {
		n := f.n
		f.n = 0
		return n, fmt.Errorf("disk full")
	}
	f.n -= len(p)
	return len(p), nil
}

func TestAWriteErrorComesBack(t *testing.T) {
	size := len(unhex(t, halfPlusTwo))
	all, err := list(unhex(t, halfPlusTwo))
	if err != nil {
		t.Fatal(err)
	}
	for n := range size {
		w := table.NewWriter(&full{n})
		for _, e := range all {
			err = w.Add([]byte(e[0]), []byte(e[1]))
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil || err.Error() != "disk full" {
			t.Fatalf("a disk of %d bytes: error is %v", n, err)
		}
	}
}
