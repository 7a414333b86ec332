package vfstest

import (
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// Strict is a file system in memory that keeps apart what is seen and what a
// power cut leaves, by the rules of package vfs and no others: what was not
// flushed is there afterwards or not, block by block and name by name, in
// whatever order. File systems on disks are kinder, each in its own way.
//
// What it knows of the time is its own clock, which goes on by a millisecond
// with each change.
type Strict struct {
	o StrictOptions

	mu     sync.Mutex
	nodes  map[int]*node
	last   int     // number of the youngest node
	items  []*item // not flushed, oldest first
	serial int     // of the youngest item
	now    time.Time
	open   map[int]int         // how often a node is open
	locks  map[int]*strictFile // who holds the lock of a node
	watch  func(Op, *Strict)
	fails  func(Op) error
}

// StrictOptions change what a Strict does. Nil and zero values are the strictest.
type StrictOptions struct {
	// WholeRenames is for file systems whose journal has a rename in one
	// piece. Without it, a rename that was not flushed may also leave the
	// file under both names, as one that is made of a link and an unlink does;
	// never under neither.
	WholeRenames bool
	// Journal is for file systems that keep the order of names: of those that
	// were not flushed a power cut leaves the first few, and a Sync of any
	// file or directory flushes all before it.
	Journal bool
	// Windows refuses to rename, replace and unlink files that are open, has no
	// SyncDir, and has a Journal, as NTFS does.
	Windows bool
}

// node is a file or a directory.
type node struct {
	dir           bool
	seen, durable tree
	modTime       time.Time
	perm          fs.FileMode
}

// tree is what a node holds: bytes if it is a file, names if it is a directory.
type tree struct {
	content
	names map[string]int
}

const rootNode = 1

var _ vfs.FS = (*Strict)(nil)

// NewStrict returns a file system that holds an empty root directory.
func NewStrict(o *StrictOptions) *Strict {
	s := &Strict{now: time.Unix(1.7e9, 0).UTC(), nodes: make(map[int]*node), open: make(map[int]int), locks: make(map[int]*strictFile)}
	if o != nil {
		s.o = *o
		s.o.Journal = o.Journal || o.Windows
	}
	s.last = rootNode
	s.nodes[rootNode] = &node{dir: true, seen: emptyDir(), durable: emptyDir(), modTime: s.now, perm: 0o777}
	return s
}

func emptyDir() tree { return tree{names: make(map[string]int)} }

// Watch calls after, from now on, when an operation has changed something, with
// a Clone of the state then. Operations wait for it.
func (s *Strict) Watch(after func(Op, *Strict)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = after
}

// FailSync makes a Sync or SyncDir fail for which fails returns an error, as
// Linux has it: what was to be flushed then is taken for flushed, and a second
// call succeeds, but nothing of it is durable, ever.
func (s *Strict) FailSync(fails func(Op) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fails
}

// Now returns the time by the file system's clock.
func (s *Strict) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance puts the clock forward.
func (s *Strict) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Clone returns what a process finds that starts when all others are killed:
// nothing is open or locked, and what was not flushed is seen, and still not
// flushed.
func (s *Strict) Clone() *Strict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clone()
}

func (s *Strict) clone() *Strict {
	c := &Strict{o: s.o, nodes: make(map[int]*node, len(s.nodes)), last: s.last, items: slices.Clone(s.items), serial: s.serial,
		now: s.now, open: make(map[int]int), locks: make(map[int]*strictFile)}
	for ino, n := range s.nodes {
		own := *n
		own.seen.names, own.durable.names = maps.Clone(n.seen.names), maps.Clone(n.durable.names)
		c.nodes[ino] = &own
	}
	c.drop()
	return c
}

// changed ends an operation that has changed something.
func (s *Strict) changed(op Op, nodes ...int) {
	s.now = s.now.Add(time.Millisecond)
	for _, ino := range nodes {
		s.nodes[ino].modTime = s.now
	}
	s.drop()
	if s.watch != nil {
		s.watch(op, s.clone())
	}
}

// drop forgets the files that have no name, and can get none back by a power
// cut. Who has one open goes on with it.
func (s *Strict) drop() {
	found := s.reachable()
	for ino := range s.nodes {
		if !found[ino] && s.open[ino] == 0 {
			delete(s.nodes, ino)
		}
	}
	s.items = slices.DeleteFunc(s.items, func(i *item) bool { return !found[i.node] })
}

// reachable returns the nodes that have a name, or may get one back.
func (s *Strict) reachable() map[int]bool {
	found := make(map[int]bool, len(s.nodes))
	var visit func(ino int)
	visit = func(ino int) {
		if found[ino] {
			return
		}
		found[ino] = true
		for _, names := range []map[string]int{s.nodes[ino].seen.names, s.nodes[ino].durable.names} {
			for _, to := range names {
				visit(to)
			}
		}
	}
	visit(rootNode)
	for n := 0; n < len(found); { // a directory may itself come back
		n = len(found)
		for _, i := range s.items {
			if i.to != 0 && found[i.node] {
				visit(i.to)
			}
		}
	}
	return found
}

// find returns the node of a path.
func (s *Strict) find(path string) (int, error) {
	at := rootNode
	for _, element := range split(path) {
		n := s.nodes[at]
		if !n.dir {
			return 0, syscall.ENOTDIR
		}
		to, ok := n.seen.names[element]
		if !ok {
			return 0, syscall.ENOENT
		}
		at = to
	}
	return at, nil
}

// place returns the directory that a path is in, and its last element.
func (s *Strict) place(path string) (dir int, name string, err error) {
	elements := split(path)
	if len(elements) == 0 {
		return 0, "", syscall.EEXIST
	}
	last := len(elements) - 1
	dir, err = s.find(strings.Join(elements[:last], "/"))
	if err == nil && !s.nodes[dir].dir {
		err = syscall.ENOTDIR
	}
	return dir, elements[last], err
}

// split returns the elements of a path. Relative ones begin at the root.
func split(path string) []string {
	path = filepath.ToSlash(filepath.Clean(path[len(filepath.VolumeName(path)):]))
	path = strings.Trim(path, "/")
	if path == "" || path == "." {
		return nil
	}
	return strings.Split(path, "/")
}
