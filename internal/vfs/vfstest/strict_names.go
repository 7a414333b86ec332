package vfstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Rename gives a file another name, and takes that of a file which has it.
func (s *Strict) Rename(oldname, newname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rename(oldname, newname); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (s *Strict) rename(oldname, newname string) error {
	from, oldBase, err := s.place(oldname)
	if err != nil {
		return err
	}
	to, newBase, err := s.place(newname)
	if err != nil {
		return err
	}
	ino, err := s.find(oldname)
	if err != nil {
		return err
	}
	there := s.nodes[to].seen.names[newBase]
	if there == ino && !s.nodes[ino].dir {
		return nil // two names of one file stay two
	}
	if err := s.mayReplace(ino, there, newname); err != nil {
		return err
	}
	gained := s.setName(to, newBase, ino, newname, "is what was "+oldname)
	lost := s.setName(from, oldBase, 0, oldname, "gone to "+newname)
	s.bind(lost, gained)
	if s.o.WholeRenames || s.nodes[ino].dir {
		s.bind(gained, lost)
	}
	s.changed(Op{Verb: "rename", Path: oldname, To: newname}, from, to)
	return nil
}

// mayReplace refuses what package os refuses, and the system.
func (s *Strict) mayReplace(ino, there int, newname string) error {
	n, old := s.nodes[ino], s.nodes[there]
	switch {
	case s.busy(ino) || s.busy(there):
		return syscall.EACCES
	case old != nil && old.dir:
		return syscall.EEXIST
	case n.dir && s.inside(newname, ino):
		return syscall.EINVAL
	case old != nil && n.dir:
		return syscall.ENOTDIR
	}
	return nil
}

// busy reports whether a node is open, where that is in the way.
func (s *Strict) busy(ino int) bool { return s.o.Windows && s.open[ino] > 0 }

// inside reports whether a path leads through the directory ino.
func (s *Strict) inside(path string, ino int) bool {
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		if found, err := s.find(at); err == nil && found == ino {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

// Link gives a file a second name.
func (s *Strict) Link(oldname, newname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.link(oldname, newname); err != nil {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (s *Strict) link(oldname, newname string) error {
	ino, err := s.find(oldname)
	if err != nil {
		return err
	}
	dir, base, err := s.place(newname)
	switch {
	case err != nil:
		return err
	case s.nodes[dir].seen.names[base] != 0:
		return syscall.EEXIST
	case s.nodes[ino].dir:
		return syscall.EPERM
	}
	s.setName(dir, base, ino, newname, "also "+oldname)
	s.changed(Op{Verb: "link", Path: oldname, To: newname}, dir)
	return nil
}

// Unlink takes the name of a file away.
func (s *Strict) Unlink(name string) error {
	return s.take("unlink", name, func(n *node, ino int) error {
		switch {
		case n.dir:
			return syscall.EISDIR
		case s.busy(ino):
			return syscall.EACCES
		}
		return nil
	})
}

// Rmdir removes an empty directory.
func (s *Strict) Rmdir(name string) error {
	return s.take("rmdir", name, func(n *node, ino int) error {
		switch {
		case !n.dir:
			return syscall.ENOTDIR
		case ino == rootNode:
			return syscall.EBUSY
		case len(n.seen.names) > 0:
			return syscall.ENOTEMPTY
		}
		return nil
	})
}

func (s *Strict) take(verb, name string, may func(*node, int) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ino, err := s.find(name)
	if err == nil {
		err = may(s.nodes[ino], ino)
	}
	if err != nil {
		return &fs.PathError{Op: verb, Path: name, Err: err}
	}
	dir, base, err := s.place(name)
	if err != nil {
		return &fs.PathError{Op: verb, Path: name, Err: err}
	}
	s.setName(dir, base, 0, name, "gone")
	s.changed(Op{Verb: verb, Path: name}, dir)
	return nil
}

// Mkdir makes a directory.
func (s *Strict) Mkdir(name string, perm fs.FileMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, base, err := s.place(name)
	if err == nil && s.nodes[dir].seen.names[base] != 0 {
		err = syscall.EEXIST
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	ino := s.make(&node{dir: true, seen: emptyDir(), durable: emptyDir(), perm: perm})
	s.setName(dir, base, ino, name, "made")
	s.changed(Op{Verb: "mkdir", Path: name}, dir)
	return nil
}
