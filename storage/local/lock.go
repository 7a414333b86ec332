package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/internal/holder"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

// locks are those this process holds. The table is the process's and not a
// Dir's, because flock would let two Dirs of one process keep each other out.
var locks struct {
	mu   sync.Mutex
	held []*lock
}

type lock struct {
	fsys  vfs.FS
	path  string // absolute
	info  fs.FileInfo
	f     vfs.File
	turns storage.Turns
	count int // locks.mu
}

// held is the lock for one of those who share it.
type held struct {
	storage.Turns
	unlock func() error
}

func (h held) Unlock() error { return h.unlock() }

// Lock holds an flock on a reserved file beside name, which says who holds it.
// The file stays: to remove it would let a third process lock a new one while
// a second has opened the old.
func (d *dir) Lock(ctx context.Context, name string) (storage.Held, error) {
	path, err := d.begin(ctx, "lock", name)
	if err != nil {
		return nil, err
	}
	path, err = filepath.Abs(filepath.Join(filepath.Dir(path), lockPrefix+filepath.Base(path)))
	if err != nil {
		return nil, pathError("lock", path, err)
	}
	locks.mu.Lock()
	defer locks.mu.Unlock()
	l := find(func(l *lock) bool { return l.fsys == d.fsys && l.path == path })
	if l == nil {
		if l, err = d.acquire(path); err != nil {
			return nil, err
		}
	}
	l.count++
	return held{l.turns, sync.OnceValue(l.release)}, nil
}

func find(match func(*lock) bool) *lock {
	for _, l := range locks.held {
		if match(l) {
			return l
		}
	}
	return nil
}

// acquire takes the lock, or finds that the process has it by another path.
func (d *dir) acquire(path string) (*lock, error) {
	l := &lock{fsys: d.fsys, path: path, turns: storage.NewTurns()}
	err := d.inDir(filepath.Dir(path), func() (err error) {
		l.f, err = d.openLock(path)
		return err
	})
	if err != nil {
		return nil, d.failed("lock", path, err)
	}
	known, err := l.take()
	if err == nil && known == nil {
		locks.held = append(locks.held, l)
		d.removeStale(filepath.Dir(path), l.f)
		return l, nil
	}
	if closed := l.f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, d.failed("lock", path, err)
	}
	return known, nil
}

// openLock opens the file of a lock, which will be written to, and so may not be
// a link to a file that is somebody else's.
func (d *dir) openLock(path string) (vfs.File, error) {
	isLink := because(fs.ErrInvalid, "the lock's file %s is a symbolic link; remove it", filepath.Base(path))
	if vfs.NoFollow == 0 {
		if info, err := d.fsys.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, isLink
		}
	}
	f, err := d.fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|vfs.NoFollow, 0o666)
	if err == nil {
		return f, nil
	}
	if info, found := d.fsys.Lstat(path); found == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, isLink
	}
	return nil, err
}

// take asks the table before the system: for another open file of this very
// process flock would say that somebody else has the lock.
func (l *lock) take() (known *lock, err error) {
	if _, err := regularSize(l.f); err != nil {
		return nil, err
	}
	if l.info, err = l.f.Stat(); err != nil {
		return nil, err
	}
	if known = find(func(k *lock) bool { return os.SameFile(k.info, l.info) }); known != nil {
		return known, nil
	}
	err = l.f.TryLock()
	if errors.Is(err, vfs.ErrLocked) {
		return nil, because(storage.ErrLocked, "%v (%s); end it, or use another directory", storage.ErrLocked, holding(l.f))
	}
	if errors.Is(err, syscall.ENOLCK) {
		// An NFS client without a lock daemon: there, and only there, is no lock.
		return nil, because(errors.ErrUnsupported, "the file system has no locks: %v", cause(err))
	}
	if err != nil {
		return nil, err
	}
	return nil, l.sign()
}

// sign writes who holds the lock, for the others' error. On a full disk the lock
// is held without: it may be taken to make room.
func (l *lock) sign() error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt([]byte(holder.Since(holder.This(), time.Now())+"\n"), 0)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return err
}

// holding returns what the holder signed with. Anybody may have written the
// file, so what does not look like it is not repeated.
func holding(f vfs.File) string {
	b := make([]byte, 400)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return "whose name cannot be read"
	}
	line, _, ended := strings.Cut(string(b[:n]), "\n")
	if !ended || !holder.Check(line) || !strings.HasPrefix(line, "process ") {
		return "which has not written its name yet"
	}
	return line
}

// release gives the lock up when the last of those who share it does. Closing
// the file is what frees it; the file itself stays, see Lock.
func (l *lock) release() error {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	if l.count--; l.count > 0 {
		return nil
	}
	locks.held = slices.DeleteFunc(locks.held, func(k *lock) bool { return k == l })
	err := l.f.Truncate(0) // or one that waits for the next holder might be told our name
	if closed := l.f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return pathError("unlock", l.path, cause(err))
	}
	return nil
}
