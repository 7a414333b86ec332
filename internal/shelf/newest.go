package shelf

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Newest returns the newest complete checkpoint of a directory, whatever
// its state file says, among those that count; "" if there is none.
func Newest(ctx context.Context, dir storage.Dir, counts func(path string) bool) (string, error) {
	sets, err := Scan(ctx, dir, "")
	if err != nil {
		return "", err
	}
	var found []string
	times := make(map[string]time.Time)
	for p, s := range sets {
		if s.Complete() && counts(p) {
			found = append(found, p)
			times[p] = s.ModTime()
		}
	}
	if len(found) == 0 {
		if found, times, err = findV1(ctx, dir, counts); err != nil {
			return "", err
		}
	}
	if len(found) == 0 {
		return "", nil
	}
	SortByAge(found, times)
	return found[len(found)-1], nil
}

// findV1 finds the complete V1 checkpoints of the directory itself.
func findV1(ctx context.Context, dir storage.Dir, counts func(path string) bool) ([]string, map[string]time.Time, error) {
	var names []storage.Info
	err := EachFile(ctx, dir, "", func(info storage.Info) {
		if filename.OfDirectory(info.Name) && filename.MayBeV1(info.Name) && info.Size > 0 {
			names = append(names, info)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	var found []string
	times, files := make(map[string]time.Time), make(map[string][]string)
	for _, info := range names {
		is, err := IsV1(ctx, dir, info.Name)
		if err != nil {
			return nil, nil, err
		}
		if p, _ := filename.CutV1Shard(info.Name); is && counts(p) {
			files[p] = append(files[p], info.Name)
			times[p] = info.ModTime
		}
	}
	for p, names := range files {
		if filename.MissingV1Shard(names) == "" {
			found = append(found, p)
		}
	}
	return found, times, nil
}

// SortByAge sorts paths from the oldest to the newest. Those that differ only
// in their numbers go by these, as numbers and not as text; groups of
// different names go by the newest of each, because numbers of different
// names say nothing about each other.
func SortByAge(paths []string, times map[string]time.Time) {
	type aged struct {
		path, name string
		number     int64
	}
	newest := make(map[string]time.Time)
	list := make([]aged, len(paths))
	for i, p := range paths {
		name, number, _ := filename.SplitNumber(p)
		list[i] = aged{p, name, number}
		if times[p].After(newest[name]) {
			newest[name] = times[p]
		}
	}
	slices.SortFunc(list, func(a, b aged) int {
		if a.name == b.name {
			return cmp.Compare(a.number, b.number)
		}
		return cmp.Or(newest[a.name].Compare(newest[b.name]), cmp.Compare(a.name, b.name))
	})
	for i, a := range list {
		paths[i] = a.path
	}
}
