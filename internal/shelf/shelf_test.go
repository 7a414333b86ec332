package shelf

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestScanFindsTheFilesOfCheckpoints(t *testing.T) {
	files := whole("ckpt-7", "text", first, second)
	maps.Copy(files, map[string]string{"ckpt-8.index": "i", "ckpt-9.data-" + first: "d", "note.txt": "n", "checkpoint": "s", "ckpt-70.index": "i"})
	dir := put(t, files)
	sets, err := Scan(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(sets)), []string{"ckpt-7", "ckpt-70", "ckpt-8", "ckpt-9"}; !slices.Equal(got, want) {
		t.Fatalf("Scan found %q, want %q", got, want)
	}
	for p, want := range map[string]bool{"ckpt-7": true, "ckpt-8": false, "ckpt-9": false} {
		if got := sets[p].Complete(); got != want {
			t.Errorf("%s: Complete() = %v, want %v", p, got, want)
		}
	}
	set, size := sets["ckpt-7"], 0
	for _, name := range append(set.Others(), set.Index.Name) {
		size += len(files[name])
	}
	if set.Shards() != 2 || len(set.Others()) != 3 || set.Size() != int64(size) || set.ModTime().IsZero() {
		t.Errorf("Shards, Others, Size, ModTime = %d, %q, %d, %v, want 2, three, %d", set.Shards(), set.Others(), set.Size(), set.ModTime(), size)
	}
	if got := sets.Highest("ckpt"); got != 70 {
		t.Errorf("Highest = %d, want 70", got)
	}
	if got := sets.NewestOf("ckpt"); got != "ckpt-7" {
		t.Errorf("NewestOf = %q, want ckpt-7, which is complete", got)
	}
	if top, newest := sets.Highest("model"), sets.NewestOf("model"); top != -1 || newest != "" {
		t.Errorf("Highest, NewestOf = %d, %q, want -1 and none", top, newest)
	}
	if of, err := Scan(t.Context(), dir, "ckpt-7."); err != nil || len(of) != 1 {
		t.Errorf("Scan(ckpt-7.) = %v, %v, want one", of, err)
	}
}

func TestSmallestCompleteSeriesOfShardsCounts(t *testing.T) {
	sets := make(Sets)
	for _, name := range []string{"a.data-00000-of-00003", "a.data-00002-of-00003", "a.data-" + first, "a.data-" + second, "b.data-" + second} {
		if !sets.Add(storage.Info{Name: name}) {
			t.Errorf("Add(%q) = false, want true", name)
		}
	}
	if a, b := sets["a"].Shards(), sets["b"].Shards(); a != 2 || b != 0 {
		t.Errorf("Shards = %d and %d, want 2 and 0", a, b)
	}
}

func TestLocateKnowsWhatCountsDuringAnOverwrite(t *testing.T) {
	was, next := whole("ckpt-7", "old", one), whole("ckpt-7", "brand new", one)
	linked := with(was, under(was))
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing special":  {was, "ckpt-7"},
		"linked":           {linked, "ckpt-7"},
		"receipt replaced": {with(linked, next, ".receipt.json"), "ckpt-7.recovery"},
		"all replaced":     {with(linked, next), "ckpt-7"},
		"index alone":      {map[string]string{"ckpt-7.index": ""}, "ckpt-7"},
	} {
		at, err := Locate(t.Context(), put(t, test.files), "ckpt-7", told)
		if err != nil || at.Path != "ckpt-7" || at.Stored != test.want || at.V1 != nil {
			t.Errorf("%s: Locate = %+v, %v, want what is stored as %s", name, at, err, test.want)
		}
	}
}

func TestLocateSaysWhatIsMissing(t *testing.T) {
	for p, want := range map[string]string{
		"ckpt-7": "open checkpoint ckpt-7: there is no ckpt-7.index: file does not exist",
		"ckpt":   "open checkpoint ckpt: there is no ckpt.index: file does not exist (is a number missing, as the -1 of ckpt-1?)",
	} {
		_, err := Locate(t.Context(), put(t, map[string]string{"ckpt-7.data-" + one: "", "ckpt-7.receipt.json": "[]"}), p, told)
		if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
			t.Errorf("Locate(%q) = %v, want %s", p, err, want)
		}
	}
}

func TestNewestGoesByNumbersWithinAName(t *testing.T) {
	files := make(map[string]string)
	for _, p := range []string{"ckpt-9", "ckpt-10", "a/ckpt-11", filename.Recovery("ckpt-12")} {
		maps.Copy(files, whole(p, p, one))
	}
	files["ckpt-13.index"] = ""
	dir := put(t, files)
	if got, err := Newest(t.Context(), dir, filename.OfDirectory); err != nil || got != "ckpt-10" {
		t.Errorf("Newest = %q, %v, want ckpt-10", got, err)
	}
	if got, err := Newest(t.Context(), dir, func(p string) bool { return p == "ckpt-9" }); err != nil || got != "ckpt-9" {
		t.Errorf("Newest = %q, %v, want ckpt-9, the one that counts", got, err)
	}
	if got, err := Newest(t.Context(), mem.Dir(), filename.OfDirectory); err != nil || got != "" {
		t.Errorf("Newest = %q, %v, want none", got, err)
	}
}

func TestNamesGoByTheNewestOfEach(t *testing.T) {
	times := map[string]time.Time{"a-1": time.Unix(9, 0), "a-2": time.Unix(1, 0), "b-10": time.Unix(3, 0), "b-9": time.Unix(4, 0)}
	got := []string{"b-10", "a-2", "b-9", "a-1"}
	SortByAge(got, times)
	if want := []string{"b-9", "b-10", "a-1", "a-2"}; !slices.Equal(got, want) {
		t.Errorf("SortByAge = %q, want %q", got, want)
	}
}

func TestOccupiedByAnyFileOfOurs(t *testing.T) {
	for name, want := range map[string]bool{"ckpt-7.index": true, "ckpt-7.receipt.json": true, "ckpt-7.data-" + one: true,
		"ckpt-7.recovery.index": true, "ckpt-70.index": false, "ckpt-7": false} {
		if got, err := Occupied(t.Context(), put(t, map[string]string{name: ""}), "ckpt-7"); got != want || err != nil {
			t.Errorf("Occupied with %s = %v, %v, want %v", name, got, err, want)
		}
	}
}

func TestRemoveTakesAllOfASet(t *testing.T) {
	files := whole("ckpt-7", "text", first, second)
	other := whole("ckpt-70", "other", one)
	maps.Copy(files, other)
	for _, gone := range []string{"", "ckpt-7.index"} {
		dir := put(t, less(files, gone))
		sets, err := Scan(t.Context(), dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := Remove(t.Context(), dir, sets["ckpt-7"]); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, dir); !maps.Equal(got, other) {
			t.Errorf("there are %q, want %q", got, other)
		}
	}
}
