package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/trackable"
)

// A faultScenario is what is done while an operation fails.
type faultScenario struct {
	name    string
	c       Options
	o       ManagerOptions
	before  func(*faultRun)       // makes what there is, without faults
	open    func(*faultRun)       // in each run anew, without faults
	do      func(*faultRun) error // with the fault
	again   func(*faultRun) error // what the next process does
	after   func(*faultRun)       // what else is to hold, when the fault is over
	goes    []string              // what may be gone then
	even    bool                  // even if do has failed
	foreign bool                  // there are orphans that may be anybody's
	later   bool                  // the save counter is ahead after a failure
	all     bool                  // every operation fails in every way, in short runs, too
}

// params are what is saved.
type params struct {
	kernel, bias *variableF
	names        *trackable.StringVariable
	base         *variableF // never changes; nil: incremental saves are not asked for
}

func weighing(o *Options) (*Checkpoint, *params) {
	w := &params{kernel: variable(0, 0, 0, 0), bias: variable(0), names: &trackable.StringVariable{Shape: []int64{1}, Value: []string{""}}}
	objects := Objects{"kernel": w.kernel, "bias": w.bias, "names": w.names}
	if o != nil && o.Incremental != nil {
		w.base = variable(weights(7)...)
		objects["base"] = w.base
	}
	c := New(nil, objects, o)
	smallPieces(c)
	return c, w
}

// set gives all values that are the n-th save's.
func (w *params) set(n int) {
	x := float32(n)
	copy(w.kernel.Value, []float32{x, x / 3, -x, 1 / x})
	w.bias.Value[0] = x / 7
	w.names.Value[0] = fmt.Sprintf("of save %d", n)
}

// n returns which save all values are of, or -1.
func (w *params) n() int {
	n := int(w.kernel.Value[0])
	want := &params{kernel: variable(0, 0, 0, 0), bias: variable(0), names: &trackable.StringVariable{Value: []string{""}}}
	want.set(n)
	if w.base != nil && !slices.Equal(w.base.Value, weights(7)) {
		return -1
	}
	for i, x := range want.kernel.Value {
		if w.kernel.Value[i] != x {
			return -1
		}
	}
	if w.bias.Value[0] != want.bias.Value[0] || w.names.Value[0] != want.names.Value[0] {
		return -1
	}
	return n
}

// manager opens a manager of the scenario's options.
func (r *faultRun) manager() error {
	o := r.o
	o.Now, o.StepCounter = r.now.tick, func() int64 { return r.step }
	o.Hooks = &Hooks{OnError: func(_ context.Context, _ string, err error) { r.hooked = append(r.hooked, err) }}
	m, err := NewManager(background(), r.c, r.dir, &o)
	if err == nil {
		r.m = m
	}
	return err
}

// goingOn opens a manager that goes on where the last one ended.
func goingOn(r *faultRun) {
	r.t.Helper()
	if err := r.manager(); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.m.RestoreOrInitialize(background()); err != nil {
		r.t.Fatal(err)
	}
	r.step = 100
}

// saves makes so many saves, each acknowledged.
func saves(n int, o ...*SaveOptions) func(*faultRun) {
	return func(r *faultRun) {
		r.t.Helper()
		goingOn(r)
		for i := range n {
			var each *SaveOptions
			if i < len(o) {
				each = o[i]
			}
			r.step++
			r.tried++
			r.w.set(r.tried)
			s, err := r.m.Begin(background(), each)
			if err == nil {
				err = s.Wait(background())
			}
			if err != nil {
				r.t.Fatal(err)
			}
			r.acked[s.Path()], r.newest = r.tried, s.Path()
		}
		if err := r.m.Close(background()); err != nil {
			r.t.Fatal(err)
		}
		r.m = nil
		there := onDisk(r.t, r.clean)
		maps.DeleteFunc(r.acked, func(p string, _ int) bool { return !slices.Contains(there, p) })
	}
}

// attempt sets new values and tells what comes of saving them.
func (r *faultRun) attempt(save func() (string, error)) error {
	r.tried++
	r.step += 10
	r.w.set(r.tried)
	before := r.newest
	path, err := save()
	if err == nil {
		if r.acked[path] = r.w.n(); r.newest == before {
			r.newest = path
		}
	}
	return err
}

func saving(o *SaveOptions) func(*faultRun) error {
	return func(r *faultRun) error {
		if o != nil && o.CheckpointNumber != nil {
			r.over = filename.Numbered("ckpt", *o.CheckpointNumber)
		}
		return r.attempt(func() (string, error) { return r.m.Save(background(), o) })
	}
}

// savingLater gets the outcome of an asynchronous save from one of those who
// can tell it, in turns.
func savingLater(r *faultRun) error {
	return r.attempt(func() (string, error) {
		s, err := r.m.Begin(background(), nil)
		if err != nil {
			return "", err
		}
		<-s.Done()
		r.trap.disarm()
		switch r.at % 4 {
		case 0:
			return s.Path(), s.Wait(background())
		case 1:
			return s.Path(), r.m.Sync(background())
		case 2:
			return s.Path(), r.m.Close(background())
		}
		r.step += 10
		next, err := r.m.Begin(background(), nil)
		if next == nil || next.Wait(background()) != nil {
			r.errorf("the save after it: %v", err)
		} else {
			r.acked[next.Path()], r.newest, r.swept = r.tried, next.Path(), true
		}
		var earlier *EarlierError
		if err != nil && (!errors.As(err, &earlier) || earlier.Path != s.Path()) {
			r.errorf("the next save returned %v, want an EarlierError about %s", err, s.Path())
		}
		return s.Path(), err
	})
}

func metric(loss float64) *SaveOptions {
	return &SaveOptions{Metrics: map[string]float64{"loss": loss}, Tags: []string{"t"}}
}

var twoShards = Options{Sharding: sharding.MaxShardSize(24)}

var faultScenarios = []*faultScenario{
	{name: "first save", open: goingOn, do: saving(nil)},
	{name: "save with a sweep", o: ManagerOptions{MaxToKeep: 2}, before: saves(2), open: goingOn, do: saving(nil), goes: []string{"ckpt-1"}},
	{name: "save that preserves", o: ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Second}, before: saves(2), open: goingOn, do: saving(nil)},
	{name: "save of a number again", before: saves(2), open: goingOn, do: saving(&SaveOptions{CheckpointNumber: number64(2)})},
	{name: "save in shards", c: twoShards, before: saves(1), open: goingOn, do: saving(nil)},
	{name: "save in shards of a number again", c: twoShards, before: func(r *faultRun) {
		r.c, r.w = weighing(nil) // in one file
		saves(1)(r)
	}, open: goingOn, do: saving(&SaveOptions{CheckpointNumber: number64(1)})},
	{name: "save with metrics and a policy", o: ManagerOptions{Retention: retention.Any(retention.Latest(1), retention.Best(1, retention.Lowest("loss")))},
		before: saves(2, metric(1), metric(2)), open: goingOn, do: saving(metric(3)), goes: []string{"ckpt-2"}},
	{name: "asynchronous save", c: Options{Async: &Async{Queue: 1}}, o: ManagerOptions{MaxToKeep: 2}, before: saves(2), open: goingOn,
		do: savingLater, goes: []string{"ckpt-1", "ckpt-2"}, later: true},
	{name: "incremental save", all: true, c: Options{Incremental: &Incremental{}}, open: savedOnce, do: saving(nil), after: saves2Linked},
	{name: "incremental save with a sweep", c: Options{Incremental: &Incremental{}}, o: ManagerOptions{MaxToKeep: 2}, before: saves(1), open: savedOnce, do: saving(nil),
		goes: []string{"ckpt-1"}},
	{name: "incremental save with parity", c: Options{Incremental: &Incremental{}, Parity: true}, open: savedOnce, do: saving(nil)},
	{name: "incremental save that writes anew", c: Options{Incremental: &Incremental{Rewrite: 1}}, open: savedOnce, do: saving(nil)},
	{name: "asynchronous incremental save", c: Options{Incremental: &Incremental{}, Async: &Async{Queue: 1}, Frozen: func(name string) bool { return strings.HasPrefix(name, "base/") }},
		open: savedOnce, do: savingLater, later: true},
	{name: "save beside a lease", o: ManagerOptions{MaxToKeep: 1}, before: leased2, open: goingOn, do: saving(nil), goes: []string{"ckpt-2"}},
	{name: "close with a sweep", o: ManagerOptions{MaxToKeep: 1}, before: saves(1), open: failedSweep, do: func(r *faultRun) error { return r.m.Close(background()) },
		goes: []string{"ckpt-1"}, even: true},
	{name: "opening over leftovers", o: ManagerOptions{MaxToKeep: 3}, before: leftovers, do: openAndSave, after: noLeftovers},
	{name: "opening over a broken state file", o: ManagerOptions{MaxToKeep: 3}, before: brokenState, do: openAndSave},
	{name: "opening over an older state file", o: ManagerOptions{MaxToKeep: 3}, before: olderState, do: openAndSave},
	{name: "save over what has no index", before: func(r *faultRun) {
		saves(1)(r)
		writeFile(r.t, r.clean, "ckpt-2.data-00002-of-00003", "of somebody's")
		writeFile(r.t, r.clean, "ckpt-2.receipt.json", "{}")
	}, open: goingOn, do: saving(&SaveOptions{CheckpointNumber: number64(2)}), foreign: true},
	{name: "save by its name", before: saves(1), do: named, again: named},
	{name: "write over a checkpoint", before: func(r *faultRun) { saves(1)(r); exported(r); r.newest = "" }, do: exporting, again: exporting},
	{name: "pin", before: saves(1), do: func(r *faultRun) error { return Pin(background(), r.dir, "ckpt-1", "the paper's") }},
	{name: "unpin", before: saves(1, &SaveOptions{Pin: "the paper's"}), do: func(r *faultRun) error { return Unpin(background(), r.dir, "ckpt-1") }},
	{name: "tag", before: saves(1), do: func(r *faultRun) error { return Tag(background(), r.dir, "ckpt-1", "good") }},
	{name: "reject", before: saves(2), do: func(r *faultRun) error { return Reject(background(), r.dir, "ckpt-1", "diverged") }},
	{name: "prune", before: saves(4, &SaveOptions{Pin: "the paper's"}), do: pruning, goes: []string{"ckpt-2", "ckpt-3"}, even: true},
	{name: "remove", before: saves(3), do: func(r *faultRun) error { return Remove(background(), r.dir, "ckpt-1", "ckpt-3") },
		goes: []string{"ckpt-1", "ckpt-3"}, even: true},
	{name: "lease", before: saves(1), do: leasing, again: leasing},
	{name: "load by latest", before: saves(2), do: loading, after: unchanged},
	{name: "list and verify", before: func(r *faultRun) { saves(2)(r); brokenReceipt(r) }, do: listing2, after: unchanged},
	{name: "restore", before: saves(2), o: ManagerOptions{Fallback: true}, do: restoring2, after: unchanged},
	{name: "restore past a rejected one", before: func(r *faultRun) { saves(2)(r); rejected(r, "ckpt-2") }, o: ManagerOptions{Fallback: true}, do: restoring1, after: unchanged},
	{name: "latest valid one", before: func(r *faultRun) { saves(2)(r); rejected(r, "ckpt-2") }, do: latestValid, after: unchanged},
}

// savedOnce has saved, so that the next save is an incremental one.
func savedOnce(r *faultRun) {
	goingOn(r)
	r.must(r.attempt(func() (string, error) {
		s, err := r.m.Begin(background(), nil)
		if err == nil {
			err = s.Wait(background())
		}
		return s.Path(), err
	}))
}

// saves2Linked wants that a save which has succeeded has linked what it could.
func saves2Linked(r *faultRun) {
	if r.err != nil || r.fault.err != nil {
		return
	}
	if linked, _ := linkedOf(r.t, r.clean, r.newest); len(linked) == 0 {
		r.errorf("%s links nothing", r.newest)
	}
}

func (r *faultRun) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func named(r *faultRun) error {
	return r.attempt(func() (string, error) { return r.c.Save(background(), r.dir, "below/plain") })
}

func exporting(r *faultRun) error {
	r.over = "export"
	defer func(was string) { r.newest = was }(r.newest) // no state file tells of it
	return r.attempt(func() (string, error) { return "export", r.c.Write(background(), r.dir, "export") })
}

func exported(r *faultRun) { r.must(exporting(r)) }

func rejected(r *faultRun, path string) {
	r.must(Reject(background(), r.dir, path, "diverged"))
	r.newest = "" // it is not what a restart goes on from
}

// leased2 has two checkpoints, and a lease that somebody holds on the first.
func leased2(r *faultRun) {
	r.o.MaxToKeep = 2
	saves(2)(r)
	r.o.MaxToKeep = 1
	writeLease(r, "ckpt-1", r.now.now().Add(10000*time.Hour))
}

func writeLease(r *faultRun, path string, until time.Time) {
	text := fmt.Sprintf(`{"schema": 1, "path": %q, "holder": "the evaluator", "expires": %q, "ttl_seconds": 300}`, path, until.Format(time.RFC3339))
	writeFile(r.t, r.clean, leasePrefix(path)+"X"+leaseSuffix, text)
}

// failedSweep saves, with a sweep after it that fails.
func failedSweep(r *faultRun) {
	goingOn(r)
	r.trap.arm(fault{err: errors.New("busy"), can: verbs("unlink")}, 0)
	r.must(saving(nil)(r))
	r.trap.disarm()
	r.trap.hit = -1
	if r.m.failed == nil {
		r.t.Fatal("the sweep did not fail")
	}
}

// leftovers has what writers that died at several places have left: a save
// before its index, an overwrite half-way, a removal half-way, a temporary
// file and a lease.
func leftovers(r *faultRun) {
	saves(5)(r)
	remove(r.t, r.clean, "ckpt-3.index")
	delete(r.acked, "ckpt-3")
	for _, suffix := range []string{".receipt.json", ".data-00000-of-00001", ".index"} {
		writeFile(r.t, r.clean, "ckpt-4.recovery"+suffix, readFile(r.t, r.clean, "ckpt-4"+suffix))
	}
	writeFile(r.t, r.clean, "ckpt-4.data-00000-of-00001", "of a save that died")
	writeFile(r.t, r.clean, "ckpt-4.receipt.json", readFile(r.t, r.clean, "ckpt-5.receipt.json"))
	writeLease(r, "ckpt-5", time.Unix(-1e6, 0))
	temp, err := r.disk.OpenFile(faultRoot+"/.ckpt.tmp-OLD", os.O_RDWR|os.O_CREATE, 0o666)
	r.must(err)
	r.must(temp.Close())
	r.disk.Advance(2 * time.Hour)
}

func noLeftovers(r *faultRun) {
	if r.err != nil || r.logged() {
		return
	}
	for _, name := range listing(r.t, r.clean) {
		if _, ok := leased(name); ok || strings.Contains(name, filename.RecoverySuffix) {
			r.errorf("%s stays", name)
		}
	}
}

func brokenState(r *faultRun) {
	saves(2)(r)
	writeFile(r.t, r.clean, filename.State, "model_checkpoint_pa")
}

// olderState has a checkpoint that the state file does not know.
func olderState(r *faultRun) {
	saves(1)(r)
	was := readFile(r.t, r.clean, filename.State)
	saves(1)(r)
	writeFile(r.t, r.clean, filename.State, was)
	r.newest = "" // as if ckpt-2 had not been acknowledged
}

// openAndSave is all that a program does when it starts again.
func openAndSave(r *faultRun) error {
	if err := r.manager(); err != nil {
		return err
	}
	if _, err := r.m.RestoreOrInitialize(background()); err != nil {
		return err
	}
	return saving(nil)(r)
}

func pruning(r *faultRun) error {
	p, err := PlanPrune(background(), r.dir, retention.Latest(1), nil)
	if err != nil {
		return err
	}
	return p.Do(background())
}

func leasing(r *faultRun) error {
	l, err := TakeLease(background(), r.dir, "ckpt-1", nil)
	if err != nil {
		return err
	}
	if err := l.write(background()); err != nil { // as it is renewed
		l.stop()
		<-l.done
		return err
	}
	return l.Release(background())
}

func loading(r *faultRun) error {
	path, err := Latest(background(), r.dir)
	if err != nil {
		return err
	}
	if path != r.newest {
		r.errorf("Latest() = %q, want %q", path, r.newest)
	}
	reader, err := Load(background(), r.dir, "")
	if err != nil {
		return err
	}
	for _, name := range reader.Names() {
		if _, err := reader.Tensor(name); err != nil {
			return closing(reader, err)
		}
	}
	return reader.Close()
}

// brokenReceipt breaks one that a listing reads.
func brokenReceipt(r *faultRun) { writeFile(r.t, r.clean, "ckpt-1.receipt.json", "{") }

func listing2(r *faultRun) error {
	list, err := List(background(), r.dir, &ListOptions{Receipts: true})
	if err != nil {
		return err
	}
	for _, l := range list {
		if unlessIO(l.ReceiptErr) != nil {
			return l.ReceiptErr
		}
	}
	if len(list) != 2 || !list[1].Latest || !list[1].Managed || !list[1].Complete {
		r.errorf("List() = %+v, want two", list)
	}
	reader, err := Load(background(), r.dir, "ckpt-2")
	if err != nil {
		return err
	}
	return closing(reader, reader.Verify(background(), nil))
}

// restoring2 wants the newest, even though it may fall back: an error is no
// damage.
func restoring2(r *faultRun) error { return restoringTo(r, "ckpt-2") }

func restoring1(r *faultRun) error { return restoringTo(r, "ckpt-1") }

func restoringTo(r *faultRun, want string) error {
	r.w.set(1000)
	if err := r.manager(); err != nil {
		return err
	}
	path, err := r.m.RestoreOrInitialize(background())
	switch {
	case err == nil && (path != want || r.w.n() != r.acked[want]):
		r.errorf("RestoreOrInitialize() = %q, with the values of save %d, want %s", path, r.w.n(), want)
	case err != nil && r.w.n() != 1000:
		r.errorf("RestoreOrInitialize() = %v, and has changed values", err)
	case err != nil && (isDamage(err) || errors.Is(err, fs.ErrNotExist)):
		r.errorf("RestoreOrInitialize() = %v, which looks like damage", err)
	}
	return err
}

func latestValid(r *faultRun) error {
	path, _, err := LatestValid(background(), r.dir, nil)
	if err == nil && path != "ckpt-1" {
		r.errorf("LatestValid() = %q, want ckpt-1", path)
	}
	return err
}

// unchanged wants that reading has changed nothing.
func unchanged(r *faultRun) {
	for _, op := range r.trap.ops {
		if changes(op) {
			r.errorf("reading did %v", op)
		}
	}
}
