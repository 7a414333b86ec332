package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// linked is a place that lists these files, some of them one with several names.
type linked struct {
	storage.Dir
	files []storage.Info
	lists int
}

func (l *linked) List(_ context.Context, prefix string) iter.Seq2[storage.Info, error] {
	l.lists++
	return func(yield func(storage.Info, error) bool) {
		for _, info := range l.files {
			if strings.HasPrefix(info.Name, prefix) && !yield(info, nil) {
				return
			}
		}
	}
}

// drawLinked draws a directory. A file's size is in its ID.
func drawLinked(t *rapid.T) *linked {
	names := []string{"checkpoint", "zz-1", "zz-2", ".ckpt.quarantine/ckpt-9/ckpt-9.index"}
	for n := range rapid.IntRange(0, 12).Draw(t, "checkpoints") {
		p := fmt.Sprint("ckpt-", n+1)
		names = append(names, p+".index", p+".data-00000-of-00002", p+".data-00001-of-00002", p+".recovery.data-00000-of-00001")
	}
	l := &linked{Dir: mem.Dir()}
	for _, name := range names {
		if rapid.IntRange(0, 3).Draw(t, "there") == 0 {
			continue
		}
		inode := rapid.Uint64Range(1, 30).Draw(t, "inode")
		l.files = append(l.files, storage.Info{Name: name, Size: int64(inode) % 7, ID: storage.FileID{Device: 1, Inode: inode}})
	}
	slices.SortFunc(l.files, func(a, b storage.Info) int { return cmp.Compare(a.Name, b.Name) })
	return l
}

// holders returns which checkpoints have each file: "" are all others together.
func (l *linked) holders() map[storage.FileID]map[string]bool {
	of := make(map[storage.FileID]map[string]bool)
	for _, info := range l.files {
		if of[info.ID] == nil {
			of[info.ID] = make(map[string]bool)
		}
		of[info.ID][l.checkpoint(info.Name)] = true
	}
	return of
}

func (l *linked) checkpoint(name string) string {
	p, _, _ := strings.Cut(name, ".")
	if !strings.HasPrefix(p, "ckpt-") {
		return ""
	}
	return p
}

// TestWhatACheckpointTakesIsWhatItsFilesDo beside a plain count of who has what.
func TestWhatACheckpointTakesIsWhatItsFilesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLinked(t)
		u, err := MeasureDisk(context.Background(), l)
		if err != nil {
			t.Fatal(err)
		}
		if l.lists != 1 {
			t.Fatalf("the directory was listed %d times, want once", l.lists)
		}
		want := make(map[string]*CheckpointUsage)
		for _, info := range l.files {
			if p := l.checkpoint(info.Name); strings.HasSuffix(info.Name, p+".index") && p != "" {
				want[p] = &CheckpointUsage{Path: p, whole: true}
			}
		}
		for _, info := range l.files {
			if w := want[l.checkpoint(info.Name)]; w != nil {
				w.Files++
				w.Apparent += info.Size
			}
		}
		unique := int64(0)
		for id, holders := range l.holders() {
			size := int64(id.Inode) % 7
			unique += size
			for p := range holders {
				if want[p] == nil {
					continue
				}
				if want[p].Unique += size; len(holders) == 1 {
					want[p].Alone += size
				}
			}
		}
		if u.Unique != unique {
			t.Fatalf("Unique = %d, want %d", u.Unique, unique)
		}
		if len(u.Checkpoints) != len(want) {
			t.Fatalf("%d checkpoints, want %d", len(u.Checkpoints), len(want))
		}
		for i, got := range u.Checkpoints {
			if got != *want[got.Path] {
				t.Fatalf("%s takes %+v, want %+v", got.Path, got, *want[got.Path])
			}
			if i > 0 && len(u.Checkpoints[i-1].Path) > len(got.Path) {
				t.Fatalf("%s comes after %s", got.Path, u.Checkpoints[i-1].Path)
			}
		}
	})
}

// TestAListingTellsWhatItsCheckpointsTakeTogether by the same plain count.
func TestAListingTellsWhatItsCheckpointsTakeTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLinked(t)
		list, err := List(context.Background(), l, nil)
		if err != nil {
			t.Fatal(err)
		}
		among := make(map[string]bool)
		for _, e := range list {
			among[e.Path] = true
		}
		// Recovery files are removed with their checkpoint, and are not of its size.
		l.files = slices.DeleteFunc(l.files, func(info storage.Info) bool {
			return !among[l.checkpoint(info.Name)] || strings.Contains(info.Name, ".recovery.")
		})
		want, indexes := int64(0), make(map[storage.FileID]int64)
		for _, info := range l.files {
			if strings.HasSuffix(info.Name, ".index") { // which nobody shares
				want += info.Size
				continue
			}
			indexes[info.ID] = info.Size
		}
		for _, size := range indexes {
			want += size
		}
		if got := TotalSize(list); got != want {
			t.Fatalf("TotalSize = %d, want %d of %+v", got, want, list)
		}
	})
}
