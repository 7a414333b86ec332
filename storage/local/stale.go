package local

import (
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// staleAge is how long nothing was written to a file that is given up for
// dead. Writers that take the lock have died if another gets it; but files are
// also written without it.
const staleAge = time.Hour

// removeStale removes what dead writers have left in the directory of a lock
// that was just taken: a file as large as a model for each that was killed.
// The lock's own file tells the time as the file system has it. That
// something cannot be removed is no reason not to lock.
func (d *dir) removeStale(l *lock) {
	in := filepath.Dir(l.path)
	now, err := l.f.Stat()
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

func stale(e fs.DirEntry, now time.Time) bool {
	info, err := e.Info()
	return err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > staleAge
}
