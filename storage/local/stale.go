package local

import (
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// staleAge is how long nothing was written to a file that is given up for
// dead. Writers that take the lock have died if another gets it; but files are
// also written without it.
const staleAge = time.Hour

// removeStale removes what dead writers have left in the directory in, where a
// lock was just taken: a file as large as a model for each that was killed.
// The file fresh, of just now, tells the time as the file system has it. That
// something cannot be removed is no reason not to lock.
func (d *dir) removeStale(in string, fresh vfs.File) {
	now, err := fresh.Stat()
	if err != nil {
		return
	}
	entries, err := d.fsys.ReadDir(in)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) && stale(e, now.ModTime()) {
			// One that stays is tried again by the next.
			_ = d.fsys.Unlink(filepath.Join(in, e.Name()))
		}
	}
}

// removeStaleBelow is removeStale for a directory below the root, of which
// nobody may ever take a lock: with the first file of this Dir there.
func (d *dir) removeStaleBelow(in string, fresh vfs.File) {
	if in == filepath.Clean(d.root) {
		return
	}
	if _, before := d.looked.LoadOrStore(in, true); !before {
		d.removeStale(in, fresh)
	}
}

func stale(e fs.DirEntry, now time.Time) bool {
	info, err := e.Info()
	return err == nil && info.Mode().IsRegular() && now.Sub(begun(e.Name(), info)) > staleAge
}
