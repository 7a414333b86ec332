package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// evaluation is a loop over an Iterator, in a bubble of its own clock: what
// came, and after how many seconds.
type evaluation struct {
	t     *testing.T
	dir   storage.Dir
	m     *Manager
	start time.Time
	got   []string
}

// evaluating runs do with an empty directory and a manager, in a bubble.
func evaluating(t *testing.T, do func(e *evaluation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &evaluation{t: t, dir: mem.Dir(), start: time.Now()}
		c, _ := one(1)
		e.m = newManager(t, c, e.dir, nil)
		do(e)
	})
}

func (e *evaluation) seconds() float64 { return time.Since(e.start).Seconds() }

func (e *evaluation) note(what string) {
	e.got = append(e.got, fmt.Sprintf("%s at %v", what, e.seconds()))
}

// run loops until the Iterator ends, or the body says so by false.
func (e *evaluation) run(o *IteratorOptions, body func(path string) bool) {
	e.t.Helper()
	for path, err := range Iterator(e.t.Context(), e.dir, o) {
		if err != nil {
			e.t.Fatalf("Iterator gave %q, %v", path, err)
		}
		e.note(path)
		if body != nil && !body(path) {
			return
		}
	}
	e.note("end")
}

func (e *evaluation) want(want ...string) {
	e.t.Helper()
	if !slices.Equal(e.got, want) {
		e.t.Errorf("the loop got %q, want %q", e.got, want)
	}
}

func (e *evaluation) save(n int) {
	e.t.Helper()
	for range n {
		mustSave(e.t, e.m, nil)
	}
}

// after saves once, some time from now, beside the loop.
func (e *evaluation) after(d time.Duration) { time.AfterFunc(d, func() { e.save(1) }) }

func TestScenario050AnExistingCheckpointComesAtOnce(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(2)
		e.run(nil, func(string) bool { return false })
		e.want("ckpt-2 at 0")
	})
}

// TensorFlow looks last when its clock is a poll before the timeout, and so
// ends after two seconds and a bit; here the last look is when it is over.
func TestScenario051NothingComesAndTheTimeoutEndsIt(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.run(&IteratorOptions{Timeout: 3 * time.Second}, nil)
		e.want("end at 3")
	})
	evaluating(t, func(e *evaluation) {
		e.run(&IteratorOptions{Timeout: 300 * time.Millisecond}, nil)
		e.want("end at 0.3")
	})
	evaluating(t, func(e *evaluation) {
		e.after(2900 * time.Millisecond)
		e.run(&IteratorOptions{Timeout: 3 * time.Second}, nil)
		e.want("ckpt-1 at 3", "end at 6")
	})
}

func TestScenario052TheTimeoutFunctionDecides(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		answers := []bool{false, false, true}
		e.run(&IteratorOptions{Timeout: 3 * time.Second, TimeoutFn: func() bool {
			e.note("asked")
			defer func() { answers = answers[1:] }()
			return answers[0]
		}}, nil)
		e.want("asked at 3", "asked at 6", "asked at 9", "end at 9")
	})
}

// TensorFlow asks after every checkpoint too, and would end after the first.
func TestTheTimeoutFunctionIsAskedAtTimeoutsOnly(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		e.after(900 * time.Millisecond)
		e.run(&IteratorOptions{Timeout: 3 * time.Second, TimeoutFn: func() bool { e.note("asked"); return true }}, nil)
		e.want("ckpt-1 at 0", "ckpt-2 at 1", "asked at 4", "end at 4")
	})
}

func TestScenario054OnlyTheNewestOfSeveralComes(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		e.run(&IteratorOptions{Timeout: 3 * time.Second}, func(path string) bool {
			if path == "ckpt-1" {
				time.Sleep(2 * time.Second)
				e.save(3)
			}
			return true
		})
		e.want("ckpt-1 at 0", "ckpt-4 at 2", "end at 5")
	})
}

func TestScenario055AShortestTimeBetweenTwo(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		e.run(&IteratorOptions{Timeout: 3 * time.Second, MinInterval: 5 * time.Second}, func(path string) bool {
			if path == "ckpt-2" {
				time.Sleep(6 * time.Second) // longer than the interval
			}
			if path != "ckpt-3" {
				e.save(1)
			}
			return true
		})
		e.want("ckpt-1 at 0", "ckpt-2 at 5", "ckpt-3 at 11", "end at 19")
	})
}

func TestThePollIntervalIsAnOption(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.after(2450 * time.Millisecond)
		e.run(nil, func(string) bool { return false })
		e.want("ckpt-1 at 3")
	})
	evaluating(t, func(e *evaluation) {
		e.after(2450 * time.Millisecond)
		e.run(&IteratorOptions{Poll: 100 * time.Millisecond}, func(string) bool { return false })
		e.want("ckpt-1 at 2.5")
	})
}

func TestAPathThatIsSavedAnewComesAgain(t *testing.T) {
	for _, receipts := range []bool{true, false} {
		for _, every := range []bool{false, true} {
			evaluating(t, func(e *evaluation) {
				save := func() {
					mustSave(t, e.m, &SaveOptions{CheckpointNumber: number64(7)})
					if !receipts {
						remove(t, e.dir, "ckpt-7.receipt.json")
					}
				}
				save()
				time.AfterFunc(1900*time.Millisecond, save)
				e.run(&IteratorOptions{Timeout: 3 * time.Second, Every: every}, nil)
				e.want("ckpt-7 at 0", "ckpt-7 at 2", "end at 5")
			})
		}
	}
}

func TestAnOlderCheckpointThatIsTheLatestAgainComesAgain(t *testing.T) { // as in TensorFlow
	evaluating(t, func(e *evaluation) {
		e.save(1)
		e.run(&IteratorOptions{Timeout: 2 * time.Second}, func(path string) bool {
			switch len(e.got) {
			case 1:
				e.save(1)
			case 2:
				remove(t, e.dir, "ckpt-2.index")
			}
			return true
		})
		e.want("ckpt-1 at 0", "ckpt-2 at 0", "ckpt-1 at 0", "end at 2")
	})
}

func TestAMarkMakesNoOtherCheckpoint(t *testing.T) {
	for _, every := range []bool{false, true} {
		evaluating(t, func(e *evaluation) {
			e.save(2)
			remove(t, e.dir, "ckpt-1.receipt.json")
			remove(t, e.dir, "ckpt-2.receipt.json")
			time.AfterFunc(500*time.Millisecond, func() {
				for _, p := range []string{"ckpt-1", "ckpt-2"} {
					if err := Reject(background(), e.dir, p, "bad"); err != nil {
						t.Error(err)
					}
				}
			})
			e.run(&IteratorOptions{Timeout: 3 * time.Second, Every: every}, nil)
			if every {
				e.want("ckpt-1 at 0", "ckpt-2 at 0", "end at 3")
			} else {
				e.want("ckpt-2 at 0", "end at 3")
			}
		})
	}
}

func TestEveryCheckpointOldestFirst(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(2)
		c, _ := one(1)
		if err := c.Write(background(), e.dir, "incomplete-5"); err != nil {
			t.Fatal(err)
		}
		remove(t, e.dir, dataOf("incomplete-5"))
		if err := c.Write(background(), e.dir, filename.Variables); err != nil { // in another directory
			t.Fatal(err)
		}
		e.run(&IteratorOptions{Timeout: 3 * time.Second, Every: true}, func(path string) bool {
			if path == "ckpt-1" {
				time.Sleep(time.Second)
				e.save(3)
			}
			return true
		})
		e.want("ckpt-1 at 0", "ckpt-2 at 1", "ckpt-3 at 1", "ckpt-4 at 1", "ckpt-5 at 1", "end at 4")
	})
}

func TestEveryForgetsWhatIsGone(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(3)
		w := &waiting{dir: e.dir, seen: make(map[string]string), o: IteratorOptions{Every: true}}
		for range 3 {
			g, err := w.look(background())
			if err != nil {
				t.Fatal(err)
			}
			w.note(g)
		}
		remove(t, e.dir, "ckpt-1.index")
		if g, err := w.look(background()); g.path != "" || err != nil || len(w.seen) != 2 {
			t.Errorf("look() = %v, %v and %v seen, want nothing new and two seen", g, err, w.seen)
		}
	})
}

func TestTheLoopEndsWithItsContext(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		ctx, cancel := context.WithTimeout(background(), 2500*time.Millisecond)
		defer cancel()
		for path, err := range Iterator(ctx, e.dir, nil) {
			e.note(fmt.Sprint(path, err))
		}
		e.want("context deadline exceeded at 2.5")
	})
	evaluating(t, func(e *evaluation) { // while the body runs
		e.save(1)
		ctx, cancel := context.WithCancel(background())
		defer cancel()
		for path, err := range Iterator(ctx, e.dir, &IteratorOptions{MinInterval: time.Hour}) {
			e.note(fmt.Sprint(path, err))
			cancel()
		}
		e.want("ckpt-1<nil> at 0", "context canceled at 0")
	})
}

func TestAnErrorDoesNotEndALoopThatGoesOn(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		var mended atomic.Bool
		dir := opened{failing{e.dir, func(op, name string) error {
			if !mended.Load() && op == "open" {
				return &fs.PathError{Op: op, Path: name, Err: errDisk}
			}
			return nil
		}}}
		time.AfterFunc(1450*time.Millisecond, func() { mended.Store(true) })
		for path, err := range Iterator(background(), dir, &IteratorOptions{Timeout: time.Minute}) {
			e.note(fmt.Sprint(path, errors.Is(err, errDisk)))
			if err == nil {
				break
			}
		}
		e.want("true at 0", "true at 1", "ckpt-1false at 2")
	})
}

func TestRetentionLeavesWhatIsBeingRead(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.m.o.Retention = retention.Latest(1)
		e.save(1)
		e.run(&IteratorOptions{Timeout: 3 * time.Second, Lease: new(LeaseOptions)}, func(path string) bool {
			if path == "ckpt-1" {
				e.save(3)
				time.Sleep(time.Hour) // much longer than a lease holds by itself
				e.save(1)
				c, _ := one(0)
				if _, err := c.Restore(background(), e.dir, path); err != nil {
					t.Errorf("Restore(%s) while it is leased = %v", path, err)
				}
			}
			return true
		})
		e.want("ckpt-1 at 0", "ckpt-5 at 3600", "end at 3603")
		e.save(1)
		wantPaths(t, "on disk after the leases", onDisk(t, e.dir), "ckpt-6")
	})
}

func TestTheBodyRunsUnderALease(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		e.run(&IteratorOptions{Timeout: time.Second, Lease: &LeaseOptions{Holder: "evaluator"}}, func(path string) bool {
			time.Sleep(time.Hour) // much longer than a lease holds by itself
			held, err := holders(background(), e.dir, time.Now, func(string) bool { return true })
			if got := held["ckpt-1"]; err != nil || !strings.Contains(fmt.Sprint(got), "evaluator") {
				t.Errorf("holders in the body = %v, %v, want the evaluator of ckpt-1", held, err)
			}
			return true
		})
		e.want("ckpt-1 at 0", "end at 3601")
	})
}

func TestALeaseEndsHoweverTheBodyEnds(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		o := &IteratorOptions{Lease: new(LeaseOptions)}
		e.run(o, func(string) bool { return false })
		func() {
			defer func() { _ = recover() }()
			e.run(o, func(string) bool { panic("the body's own") })
		}()
		for _, name := range listing(t, e.dir) {
			if _, is := leased(name); is {
				t.Errorf("%s stayed, want no lease", name)
			}
		}
	})
}

func TestWhatIsGoneBeforeItIsLeasedIsPassedOver(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(2)
		dir := &failing{e.dir, func(op, name string) error {
			if op == "create" && contains(listing(t, e.dir), "ckpt-2.index") {
				remove(t, e.dir, "ckpt-2.index") // as a sweep would, just then
			}
			return nil
		}}
		for path, err := range Iterator(background(), dir, &IteratorOptions{Lease: new(LeaseOptions)}) {
			e.note(fmt.Sprint(path, " ", err))
			break
		}
		e.want("ckpt-1 <nil> at 0")
	})
}

func TestWithoutALeaseTheLoopTells(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		fails := true
		dir := &failing{e.dir, func(op, name string) error {
			if fails && op == "create" {
				return errDisk
			}
			return nil
		}}
		for path, err := range Iterator(background(), dir, &IteratorOptions{Lease: new(LeaseOptions)}) {
			e.note(fmt.Sprint(path, " ", errors.Is(err, errDisk)))
			if !fails {
				break
			}
			fails = false
		}
		e.want("ckpt-1 true at 0", "ckpt-1 false at 1")
	})
}

func TestALeaseThatStaysIsTold(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		e.save(1)
		dir := &failing{e.dir, func(op, name string) error {
			if op == "remove" {
				return errDisk
			}
			return nil
		}}
		log, told := logged()
		for path, err := range Iterator(background(), dir, &IteratorOptions{Lease: new(LeaseOptions), Logger: log}) {
			if err != nil {
				t.Fatal(err)
			}
			e.note(path)
			break
		}
		if !strings.Contains(told.String(), "path=ckpt-1") {
			t.Errorf("log = %q, want a warning about ckpt-1", told)
		}
	})
}

func TestV1CheckpointsAreWaitedForToo(t *testing.T) {
	evaluating(t, func(e *evaluation) {
		v1(t, e.dir, "saver", "model.ckpt-5")
		for _, every := range []bool{false, true} {
			e.run(&IteratorOptions{Timeout: time.Second, Every: every}, nil)
		}
		e.want("model.ckpt-5 at 0", "end at 1", "model.ckpt-5 at 1", "end at 2")
	})
}
