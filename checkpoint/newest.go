package checkpoint

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
)

// newestOnDisk returns the newest complete checkpoint of a directory, whatever
// its state file says, among those that count; "" if there is none.
func newestOnDisk(ctx context.Context, dir storage.Dir, counts func(path string) bool) (string, error) {
	sets, err := scan(ctx, dir, "")
	if err != nil {
		return "", err
	}
	var found []string
	times := make(map[string]time.Time)
	for p, s := range sets {
		if s.complete() && counts(p) {
			found = append(found, p)
			times[p] = s.modTime()
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
	sortByAge(found, times)
	return found[len(found)-1], nil
}

// ofDirectory reports whether p is a checkpoint of the directory itself, and
// neither of one inside it nor a recovery set.
func ofDirectory(p string) bool {
	return !strings.Contains(p, "/") && !strings.HasSuffix(p, recoverySuffix)
}

// findV1 finds the complete V1 checkpoints of the directory itself.
func findV1(ctx context.Context, dir storage.Dir, counts func(path string) bool) ([]string, map[string]time.Time, error) {
	var names []storage.Info
	err := eachFile(ctx, dir, "", func(info storage.Info) {
		if ofDirectory(info.Name) && mayBeV1(info.Name) {
			names = append(names, info)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	var found []string
	times, files := make(map[string]time.Time), make(map[string][]string)
	for _, info := range names {
		is, err := isV1(ctx, dir, info.Name)
		if err != nil {
			return nil, nil, err
		}
		if p, _ := cutV1Shard(info.Name); is && counts(p) {
			files[p] = append(files[p], info.Name)
			times[p] = info.ModTime
		}
	}
	for p, names := range files {
		if missingShard(names) == "" {
			found = append(found, p)
		}
	}
	return found, times, nil
}

// sortByAge sorts paths from the oldest to the newest. Those that differ only
// in their numbers go by these, as numbers and not as text; groups of
// different names go by the newest of each, because numbers of different
// names say nothing about each other.
func sortByAge(paths []string, times map[string]time.Time) {
	newest := make(map[string]time.Time)
	for _, p := range paths {
		name, _, _ := splitNumber(p)
		if times[p].After(newest[name]) {
			newest[name] = times[p]
		}
	}
	slices.SortFunc(paths, func(a, b string) int {
		nameA, numberA, _ := splitNumber(a)
		nameB, numberB, _ := splitNumber(b)
		return cmp.Or(newest[nameA].Compare(newest[nameB]), cmp.Compare(nameA, nameB), cmp.Compare(numberA, numberB))
	})
}
