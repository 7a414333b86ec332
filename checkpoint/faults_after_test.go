package checkpoint

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
)

// What is to hold when an operation has failed.

// check looks at everything, when the fault is over; at what a new process
// makes of it only with restart, because that takes as long as all the rest.
func (r *faultRun) check(restart bool) {
	r.t.Helper()
	r.checkTold()
	r.checkKept()
	r.checkTemps()
	if r.after != nil {
		r.after(r)
	}
	before := r.disk.Clone()
	before.Advance(2 * time.Hour)
	r.checkSame()
	r.checkFlushes()
	if restart {
		r.checkRestart(before)
	}
}

// leave ends what is open still.
func (r *faultRun) leave() {
	r.trap.disarm()
	if r.m == nil {
		return
	}
	if err := r.m.Close(background()); err != nil && r.trap.sprung() == nil {
		r.errorf("Close() = %v", err)
	}
}

// checkKept wants every checkpoint that was acknowledged as it was, and what
// else there is whole.
func (r *faultRun) checkKept() {
	r.t.Helper()
	for path, n := range r.acked {
		got, err := r.restored(path)
		gone := errors.Is(err, fs.ErrNotExist) && slices.Contains(r.goes, path) && (r.err == nil || r.even || r.swept)
		if got != n && !gone && (r.err == nil || path != r.over || got != r.tried) {
			r.errorf("%s holds the values of save %d (%v), want %d", path, got, err, n)
		}
	}
	list, err := List(background(), r.clean, nil)
	if err != nil {
		r.errorf("List() = %v", err)
	}
	for _, l := range list {
		if got, err := r.restored(l.Path); l.Complete && (got < 0 || r.acked[l.Path] == 0 && got != r.tried) {
			r.errorf("%s, which nobody was told of, holds the values of save %d (%v)", l.Path, got, err)
		}
		if !l.Complete && l.Path != "ckpt-4" { // of the leftovers
			r.errorf("%s has an index and lacks data", l.Path)
		}
	}
	r.checkLatest()
}

// checkLatest wants the newest acknowledged checkpoint, or a newer one.
func (r *faultRun) checkLatest() {
	r.t.Helper()
	if r.newest == "" || slices.Contains(r.goes, r.newest) {
		return
	}
	dir, path := r.clean, r.newest
	if in, base, ok := strings.Cut(path, "/"); ok {
		dir, path = storage.Sub(dir, in), base
	}
	latest, err := Latest(background(), dir)
	if latest == path {
		return
	}
	if got, _ := r.restored(latest); r.err == nil || got != r.tried {
		r.errorf("Latest() = %q, %v, want %q", latest, err, path)
	}
}

// restored returns which save a checkpoint is of, or -1.
func (r *faultRun) restored(path string) (int, error) {
	c, w := weighing(nil)
	_, err := c.Read(background(), r.clean, path)
	if err != nil {
		return -1, err
	}
	return w.n(), nil
}

// checkTemps wants no temporary file of a call that could remove it.
func (r *faultRun) checkTemps() {
	r.t.Helper()
	if op := r.trap.sprung(); r.fault.later == nil && !r.fault.sameFile && op.Verb != "unlink" && op.Verb != "create" {
		for _, name := range temps(r) {
			r.errorf("%s stays", name)
		}
	}
}

func temps(r *faultRun) []string {
	left, err := storage.Leftovers(background(), r.clean)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.errorf("%v", err)
	}
	var names []string
	for _, info := range left {
		if path.Base(info.Name) != ".ckpt.tmp-OLD" {
			names = append(names, info.Name)
		}
	}
	return names
}

// checkSame goes on with what is open: nothing has moved, and the next save
// succeeds.
func (r *faultRun) checkSame() {
	r.t.Helper()
	if r.m == nil || r.m.closing != nil {
		return
	}
	if r.err != nil && r.open != nil && r.at%4 != 3 {
		r.checkUnmoved()
	}
	if r.at%2 == 0 && !r.later { // Close alone ends what a sweep has left
		if err := r.m.Close(background()); err != nil {
			r.errorf("Close() when the fault is over = %v", err)
		}
		return
	}
	r.step += 10
	r.w.set(r.tried + 1)
	path, err := r.m.Begin(background(), nil)
	if err == nil {
		err = path.Wait(background())
	}
	if err != nil {
		r.errorf("the next save = %v", err)
		return
	}
	if r.acked[path.Path()] != 0 {
		r.errorf("the next save is %s, which was taken", path.Path())
	}
	if got, err := r.restored(path.Path()); got != r.tried+1 {
		r.errorf("the next save holds the values of save %d (%v)", got, err)
	}
	r.checkSwept()
}

// checkUnmoved wants list, counter and interval as they are on the disk.
func (r *faultRun) checkUnmoved() {
	r.t.Helper()
	if got := r.m.LatestCheckpoint(); r.newest != "" && got != r.newest {
		r.errorf("LatestCheckpoint() = %q after an error, want %q", got, r.newest)
	}
	for _, p := range r.m.Checkpoints() {
		if r.acked[p] == 0 {
			r.errorf("Checkpoints() has %s after an error", p)
		}
	}
	if got := r.c.SaveCounter(); !r.later && got >= int64(r.tried) {
		r.errorf("SaveCounter() = %d after an error, want less than %d", got, r.tried)
	}
	if last := r.m.lastSaved(); last != nil && *last == r.step {
		r.errorf("the interval counts from step %d after an error", *last)
	}
}

// checkSwept wants no more checkpoints than the options say.
func (r *faultRun) checkSwept() {
	if n := len(onDisk(r.t, r.clean)); r.o.MaxToKeep > 0 && r.o.KeepCheckpointEvery == 0 && n > r.o.MaxToKeep+1 {
		r.errorf("%d checkpoints after the next save, want %d: %v", n, r.o.MaxToKeep, onDisk(r.t, r.clean))
	}
}

// checkFlushes wants no file flushed twice.
func (r *faultRun) checkFlushes() {
	for path, n := range r.trap.syncs {
		if n > 1 {
			r.errorf("%s was flushed %d times", path, n)
		}
	}
}

// checkRestart starts a new process, as it were, in a copy from before, whose
// temporary files are old.
func (r *faultRun) checkRestart(disk *vfstest.Strict) {
	r.t.Helper()
	again := r.faultScenario.newRun(r.t, disk)
	again.fault, again.at, again.trap.hit, again.trap.ops = r.fault, r.at, r.trap.hit, r.trap.ops
	again.now.set(1e6)
	defer again.leave()
	goingOn(again)
	if got := again.w.n(); r.newest != "" && !strings.Contains(r.newest, "/") && got != r.acked[r.newest] && (r.err == nil || got != r.tried) && !slices.Contains(r.goes, r.newest) {
		r.errorf("a new manager restores the values of save %d, want %d", got, r.acked[r.newest])
	}
	again.w.set(r.tried + 1)
	s, err := again.m.Begin(background(), nil)
	if err == nil {
		err = s.Wait(background())
	}
	if err != nil {
		r.errorf("the save of a new manager = %v", err)
		return
	}
	if got, err := again.restored(s.Path()); got != r.tried+1 || r.acked[s.Path()] != 0 && !slices.Contains(r.goes, s.Path()) {
		r.errorf("the save of a new manager holds the values of save %d (%v) as %s", got, err, s.Path())
	}
	again.checkSwept()
	if again.again != nil {
		again.tried = r.tried + 10
		if err := again.again(again); err != nil {
			r.errorf("doing it again = %v", err)
		}
	}
	for _, name := range temps(again) {
		r.errorf("%s stays when a new manager has saved", name)
	}
	// Of a name that is no manager's, nobody but doctor finds what stays.
	if told := strings.Contains(r.log.String(), "files of a save that failed stay"); !r.foreign && (!told || r.again == nil) {
		noOrphans(r.t, again.clean)
	}
}

// errno returns what the system said.
func (r *faultRun) errno() syscall.Errno {
	var errno syscall.Errno
	errors.As(r.fault.err, &errno)
	return errno
}

// logged reports whether a log's line tells of the fault.
func (r *faultRun) logged() bool { return strings.Contains(r.log.String(), r.errno().Error()) }
