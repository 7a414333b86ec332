package checkpoint

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// A fault is a way for an operation to fail.
type fault struct {
	name     string
	err      error                 // the system's
	can      func(vfstest.Op) bool // which operations can fail so
	later    func(vfstest.Op) bool // which of those after it fail, too; nil: none
	once     bool                  // of those only the first
	sameFile bool                  // all later ones on the same file, too
}

var faults = []fault{
	{name: "EIO", err: syscall.EIO, can: anyOp},
	{name: "ENOSPC", err: syscall.ENOSPC, can: anyOp},
	{name: "EDQUOT", err: syscall.EDQUOT, can: anyOp},
	{name: "EROFS", err: syscall.EROFS, can: anyOp},
	{name: "EACCES", err: syscall.EACCES, can: anyOp},
	{name: "EMFILE", err: syscall.EMFILE, can: anyOp},
	{name: "ESTALE", err: syscall.ESTALE, can: anyOp},
	{name: "short write", err: syscall.ENOSPC, can: verbs("write")},
	{name: "failing flush", err: syscall.EIO, can: verbs("sync")},
	{name: "failing close", err: syscall.EDQUOT, can: verbs("close")},
	{name: "failing directory flush", err: syscall.EIO, can: verbs("syncdir")},
	{name: "done and yet an error", err: vfstest.Done(syscall.EIO), can: changes},
	{name: "the clean-up fails, too", err: syscall.EIO, can: anyOp, later: verbs("unlink", "rmdir", "close"), once: true},
	{name: "a file is bad for good", err: syscall.EIO, can: anyOp, sameFile: true},
	{name: "dead disk", err: syscall.EIO, can: anyOp, later: anyOp},
	{name: "full disk", err: syscall.ENOSPC, can: needsSpace, later: needsSpace},
	{name: "read-only from here on", err: syscall.EROFS, can: changes, later: changes},
}

func verbs(list ...string) func(vfstest.Op) bool {
	return func(op vfstest.Op) bool { return slices.Contains(list, op.Verb) }
}

func anyOp(vfstest.Op) bool { return true }

var (
	needsSpace = verbs("create", "write", "mkdir", "link", "preallocate")
	changes    = verbs("create", "write", "mkdir", "link", "preallocate", "rename", "unlink", "rmdir", "truncate", "sync", "syncdir")
)

// trap lets one operation fail, and perhaps others after it, while it is armed.
type trap struct {
	mu    sync.Mutex
	armed bool
	fault fault
	left  int          // operations until the one that fails; negative: it has
	hit   int          // which of ops failed first; negative: none
	ops   []vfstest.Op // while armed
	syncs map[string]int
}

func (t *trap) before(op vfstest.Op) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if op.Verb == "sync" {
		t.syncs[op.Path]++
	}
	if !t.armed {
		return nil
	}
	t.ops = append(t.ops, op)
	switch {
	case t.hit >= 0 && t.fault.sameFile && op.Path == t.ops[t.hit].Path:
		return t.fault.err
	case t.hit >= 0:
		if t.fault.later == nil || !t.fault.later(op) {
			return nil
		}
		if t.fault.once {
			t.fault.later = nil
		}
		return t.fault.err
	case t.left > 0:
		t.left--
		return nil
	case !t.fault.can(op):
		return nil
	}
	t.hit = len(t.ops) - 1
	return t.fault.err
}

func (t *trap) arm(f fault, at int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed, t.fault, t.left, t.hit, t.ops = true, f, at, -1, nil
}

func (t *trap) disarm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = false
}

// sprung returns the operation that failed, nil if none did.
func (t *trap) sprung() *vfstest.Op {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hit < 0 {
		return nil
	}
	return &t.ops[t.hit]
}

// faultRun is one run of a scenario, with one fault.
type faultRun struct {
	t *testing.T
	*faultScenario
	fault      fault
	at         int
	disk       *vfstest.Strict
	clean, dir storage.Dir // without faults and with
	trap       *trap
	log        *lines
	now        *clock
	step       int64
	c          *Checkpoint
	w          *params
	m          *Manager
	acked      map[string]int // what was acknowledged: values by path
	newest     string         // of it
	tried      int            // the value of the save that may fail
	over       string         // the path that it writes again, if any
	err        error
	swept      bool     // by a save that has succeeded
	hooked     []error  // what hooks were told
	excuses    *excuses // of all runs
}

// faultRoot is the directory in the file systems of these tests.
const faultRoot = "/train/run"

// newRun returns a run of s on a disk.
func (s *faultScenario) newRun(t *testing.T, disk *vfstest.Strict) *faultRun {
	r := &faultRun{t: t, faultScenario: s, disk: disk, log: new(lines), now: at(1000), acked: make(map[string]int)}
	r.trap = &trap{hit: -1, syncs: make(map[string]int)}
	r.clean = local.DirOn(disk, faultRoot)
	r.dir = local.DirOn(vfstest.Hook(disk, r.trap.before), faultRoot)
	o := s.c
	o.Now, o.Logger = r.now.tick, slog.New(slog.NewTextHandler(r.log, nil))
	r.c, r.w = weighing(&o)
	return r
}

// made returns a run that has done what is there before.
func (s *faultScenario) made(t *testing.T) *faultRun {
	t.Helper()
	disk := vfstest.NewStrict(nil)
	for _, dir := range []string{"/train"} {
		if err := disk.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	r := s.newRun(t, disk)
	if s.before != nil {
		s.before(r)
	}
	return r
}

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (r *faultRun) String() string {
	hit := "nothing"
	if op := r.trap.sprung(); op != nil {
		hit = r.inDir(op.String())
	}
	return fmt.Sprintf("%s, %s at operation %d (%s)", r.name, r.fault.name, r.at, hit)
}

// inDir shortens paths.
func (r *faultRun) inDir(text string) string {
	text = strings.ReplaceAll(text, faultRoot+"/", "")
	return strings.ReplaceAll(text, faultRoot, ".")
}

func (r *faultRun) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("%v: %s", r, r.inDir(fmt.Sprintf(format, args...)))
}

// run does the scenario with the fault, on a copy of what made has made, and
// reports whether the fault came.
func (made *faultRun) run(f fault, i int) (*faultRun, bool) {
	made.t.Helper()
	s := made.faultScenario
	r := s.newRun(made.t, made.disk.Clone())
	r.fault, r.at, r.excuses = f, i, made.excuses
	r.acked, r.newest, r.tried = maps.Clone(made.acked), made.newest, made.tried
	r.now.set(2000)
	if s.open != nil {
		s.open(r)
	}
	r.hooked = nil
	r.trap.arm(f, i)
	r.err = s.do(r)
	r.trap.disarm()
	return r, r.trap.sprung() != nil
}

// TestEveryOperationOfEveryCallFailsOnce fails each operation of each scenario
// in several ways: all of them under torture, otherwise three, so dealt out that every
// scenario meets every way it can.
//
// Proves D3, D5, D10, D13, D14, D15.
func TestEveryOperationOfEveryCallFailsOnce(t *testing.T) {
	needed := &excuses{seen: make(map[string]bool)}
	for _, s := range faultScenarios {
		t.Run(s.name, func(t *testing.T) { s.failEach(t, torture.Times(3, len(faults)), needed) })
	}
	if torture.Thin(2) == 1 { // some are needed at few operations
		needed.check(t)
	}
}

func (s *faultScenario) failEach(t *testing.T, ways int, needed *excuses) {
	made := s.made(t)
	made.excuses = needed
	if s.all {
		ways = len(faults)
	}
	whole, _ := made.run(fault{can: func(vfstest.Op) bool { return false }}, 0)
	if whole.err != nil {
		t.Fatalf("without a fault: %v", whole.err)
	}
	whole.leave()
	met, injected := make(map[string]int), 0
	for i := 0; i < len(whole.trap.ops); i += torture.Thin(11) {
		for _, f := range rarest(whole.trap.ops[i], met, ways) {
			r, hit := made.run(f, i)
			if hit {
				injected++
				r.check(injected%torture.Times(4, 1) == 0)
			}
			r.leave()
		}
	}
	torture.Count(t, "faults injected", injected)
}

// rarest returns so many ways for op to fail, first those met least.
func rarest(op vfstest.Op, met map[string]int, n int) []fault {
	list := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !f.can(op) })
	slices.SortStableFunc(list, func(a, b fault) int { return met[a.name] - met[b.name] })
	list = list[:min(n, len(list))]
	for _, f := range list {
		met[f.name]++
	}
	return list
}
