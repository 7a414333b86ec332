package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var listCases = []testCase{
	{"sorted by bytes with a literal prefix", listSorted},
	{"many files are all listed", listMany},
	{"sizes and times are told", listInfo},
	{"a listing may be left early and used while it changes", listWhileChanging},
	{"others coming and going hide nothing", listBesideOthers},
}

func listSorted(t *testing.T, d storage.Dir) {
	// A slash sorts between "." and "0": directories must not be listed as one
	// block where their name alone would sort.
	want := []string{"A", "a", "ckpt-1.index", "ckpt-10.index", "ckpt-1x/b", "ckpt-2", "d!e", "d.e", "d/e", "d/f/g", "d0e", "é"}
	slices.Sort(want)
	for _, i := range []int{5, 3, 11, 0, 8, 1, 10, 2, 9, 4, 7, 6} {
		write(t, d, want[i], "x")
	}
	prefixes := []string{"", "a", "A", "ckpt-", "ckpt-1", "ckpt-1.", "ckpt-1x/", "ckpt-1x/b", "ckpt-1x/bc", "d", "d/", "d/f", "d/f/", "d.", "é", "*", "z"}
	for _, prefix := range prefixes {
		var begin []string
		for _, name := range want {
			if strings.HasPrefix(name, prefix) {
				begin = append(begin, name)
			}
		}
		wantList(t, d, prefix, begin...)
	}
}

func listMany(t *testing.T, d storage.Dir) {
	const waves, each = 5, 100
	var want []string
	for w := range waves {
		var wave []storage.Pending
		for i := range each {
			want = append(want, fmt.Sprintf("%d/file-%d", i%7, w*each+i))
			wave = append(wave, create(t, d, want[len(want)-1], "x"))
		}
		must(t, storage.CommitAll(t.Context(), d, wave))
	}
	slices.Sort(want)
	wantList(t, d, "", want...)
	must(t, storage.RemoveAll(t.Context(), d, want))
	wantList(t, d, "")
}

func listInfo(t *testing.T, d storage.Dir) {
	write(t, d, "a", "12345")
	write(t, d, "sub/b", "")
	sizes := map[string]int64{"a": 5, "sub/b": 0}
	for info, err := range d.List(t.Context(), "") {
		must(t, err)
		if want := sizes[info.Name]; info.Size != want {
			t.Errorf("List: %s has size %d, want %d", info.Name, info.Size, want)
		}
		if info.ModTime.IsZero() {
			t.Errorf("List: %s has no time", info.Name)
		}
	}
}

func listWhileChanging(t *testing.T, d storage.Dir) {
	for _, name := range []string{"a", "b", "c", "sub/d"} {
		write(t, d, name, name)
	}
	for _, err := range d.List(t.Context(), "") {
		must(t, err)
		break
	}
	for info, err := range d.List(t.Context(), "") {
		must(t, err)
		must(t, d.Remove(t.Context(), info.Name))
	}
	wantList(t, d, "")
}

func listBesideOthers(t *testing.T, d storage.Dir) {
	stay := []string{"a", "m", "sub/m", "z"}
	for _, name := range stay {
		write(t, d, name, name)
	}
	watch(t, func(ctx context.Context) error { return listHas(ctx, d, stay) }, func() {
		for i := range 20 {
			name := fmt.Sprintf("sub/come-and-go-%d", i%3)
			write(t, d, name, "x")
			must(t, create(t, d, "n", "never committed").Discard())
			must(t, d.Remove(t.Context(), name))
		}
	})
	wantList(t, d, "", stay...)
}

// listHas returns an error unless a listing has all of stay, each once, and
// nothing that was never committed.
func listHas(ctx context.Context, d storage.Dir, stay []string) error {
	got, err := list(ctx, d, "")
	if err != nil {
		return err
	}
	for _, name := range stay {
		if !slices.Contains(got, name) {
			return fmt.Errorf("%s is missing in %q", name, got)
		}
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		return fmt.Errorf("listing %q is not sorted or has a name twice", got)
	}
	for _, name := range got {
		if !slices.Contains(stay, name) && !strings.HasPrefix(name, "sub/come-and-go-") {
			return errors.New("listing has " + name)
		}
	}
	return nil
}
