package vfstest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// OpenFile opens a file, or a directory for reading, as vfs.FS has it.
func (s *Strict) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ino, err := s.openNode(name, flag, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	s.open[ino]++
	return &strictFile{s: s, node: ino, name: name, flag: flag}, nil
}

func (s *Strict) openNode(name string, flag int, perm fs.FileMode) (int, error) {
	if flag&(os.O_TRUNC|os.O_APPEND) != 0 { // vfs.FS has no such flags
		return 0, syscall.EINVAL
	}
	ino, err := s.find(name)
	switch {
	case err == nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return 0, syscall.EEXIST
	case err == nil && s.nodes[ino].dir && (writes(flag) || flag&os.O_CREATE != 0):
		return 0, syscall.EISDIR
	case err == nil || flag&os.O_CREATE == 0:
		return ino, err
	}
	dir, base, err := s.place(name)
	if err != nil {
		return 0, err
	}
	ino = s.make(&node{perm: perm})
	s.setName(dir, base, ino, name, "made")
	s.changed(Op{Verb: "create", Path: name}, dir)
	return ino, nil
}

// make gives a node its number.
func (s *Strict) make(n *node) int {
	s.last++
	n.modTime = s.now
	s.nodes[s.last] = n
	return s.last
}

// Stat describes a file or directory.
func (s *Strict) Stat(name string) (fs.FileInfo, error) { return s.stat("stat", name) }

// Lstat is Stat: there are no symbolic links.
func (s *Strict) Lstat(name string) (fs.FileInfo, error) { return s.stat("lstat", name) }

func (s *Strict) stat(op, name string) (fs.FileInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ino, err := s.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return s.info(ino, name), nil
}

// strictInfo is the fs.FileInfo of a node.
type strictInfo struct {
	name    string
	size    int64
	mode    fs.FileMode
	modTime time.Time
	node    int
}

func (s *Strict) info(ino int, name string) fs.FileInfo {
	n := s.nodes[ino]
	i := strictInfo{filepath.Base(name), n.seen.size, n.perm.Perm(), n.modTime, ino}
	if n.dir {
		i.mode |= fs.ModeDir
	}
	return i
}

func (i strictInfo) Name() string       { return i.name }
func (i strictInfo) Size() int64        { return i.size }
func (i strictInfo) Mode() fs.FileMode  { return i.mode }
func (i strictInfo) ModTime() time.Time { return i.modTime }
func (i strictInfo) IsDir() bool        { return i.mode.IsDir() }
func (i strictInfo) Sys() any           { return i.node }

// strictEntry is the fs.DirEntry of a name. As on disks its Info is of when
// that is asked for.
type strictEntry struct {
	fs.DirEntry
	s    *Strict
	path string
}

func (e strictEntry) Info() (fs.FileInfo, error) { return e.s.Lstat(e.path) }

// ReadDir returns the entries of a directory, sorted by name.
func (s *Strict) ReadDir(name string) ([]fs.DirEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ino, err := s.findDir(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	entries := []fs.DirEntry{}
	for base, at := range s.nodes[ino].seen.names {
		path := filepath.Join(name, base)
		entries = append(entries, strictEntry{fs.FileInfoToDirEntry(s.info(at, path)), s, path})
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (s *Strict) findDir(name string) (int, error) {
	ino, err := s.find(name)
	if err == nil && !s.nodes[ino].dir {
		err = syscall.ENOTDIR
	}
	return ino, err
}

// SyncDir makes the names in a directory durable.
func (s *Strict) SyncDir(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.Windows {
		return nil
	}
	ino, err := s.findDir(name)
	if err == nil {
		err = s.sync(Op{Verb: "syncdir", Path: name}, ino)
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return nil
}

// sync flushes a node, unless that is to fail.
func (s *Strict) sync(op Op, ino int) error {
	if s.fails != nil {
		if err := s.fails(op); err != nil {
			s.neglect(ino)
			return err
		}
	}
	s.flush(ino)
	s.changed(op)
	return nil
}

func writes(flag int) bool { return flag&(os.O_WRONLY|os.O_RDWR) != 0 }

var errNegative = errors.New("negative offset")
