package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// How far a search for checkpoints goes that the user may have meant.
const (
	searchDepth = 3
	searchLimit = 2000 // directory entries
)

// absent is the error of something that is not there, in words of ours.
type absent string

func (e absent) Error() string { return string(e) }

// Is reports whether target is fs.ErrNotExist.
func (e absent) Is(target error) bool { return target == fs.ErrNotExist }

func absentf(layout string, args ...any) error { return absent(fmt.Sprintf(layout, args...)) }

// noCheckpoints is the error about a directory without checkpoints. It says
// what was looked for, and names directories below it that have some.
func noCheckpoints(root string) error {
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if isFile(root + ".index") {
			return hintf(absentf("%s: no such directory", root), "it is a checkpoint: leave out the slash at its end")
		}
		return absentf("%s: no such directory", root)
	case err != nil:
		return err
	case !info.IsDir():
		return hintf(absentf("%s: not a directory", root), "leave out the slash at its end")
	}
	err = absentf("%s: no checkpoints in this directory: no *.index file, and no TensorFlow V1 file", root)
	below := checkpointsBelow(root)
	if len(below) == 0 {
		return err
	}
	return hintf(err, "there are some in %s", someOf(below, 3))
}

// checkpointsBelow returns directories below root with an index file in them.
// It gives up early: it only serves a hint.
func checkpointsBelow(root string) []string {
	var found []string
	seen := 0
	// An unreadable directory is only one that no hint comes from.
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if seen++; seen > searchLimit {
			return fs.SkipAll
		}
		if err != nil || e.IsDir() {
			return skipDeep(root, path, err)
		}
		dir := filepath.Dir(path)
		if strings.HasSuffix(path, ".index") && !slices.Contains(found, dir) {
			found = append(found, dir)
		}
		return nil
	})
	return found
}

func skipDeep(root, path string, err error) error {
	below := strings.TrimPrefix(path, root)
	if err != nil || strings.Count(below, string(filepath.Separator)) > searchDepth {
		return fs.SkipDir
	}
	return nil
}
