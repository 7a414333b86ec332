package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// oracle lives through random lives of trainings in one directory, each of
// which may die at any change, and knows what must be there whatever happened:
// the newest that a save has returned, the newest that is not rejected, the
// best of them, what is pinned and what is leased.
type oracle struct {
	*rapid.T
	disk   storage.Dir
	mortal *mortal
	now    *clock
	c      *Checkpoint
	v      *variableF
	m      *Manager
	async  bool
	swept  bool // this life has saved: what died ones have left is in order
	best   bool // the policies have Best
	// What stays whatever comes: the newest and the best that were not rejected
	// when there was another.
	good, bestOne *kept

	saved   []*kept // that were told to be saved, oldest first
	pending map[*Saving]*kept
	leases  map[string]*Lease
	serial  float32
	journal []string
}

// kept is a checkpoint that was saved.
type kept struct {
	path             string
	value            float32
	loss             float64
	pinned, rejected bool
}

func (o *oracle) must(err error) {
	if err != nil {
		o.Helper()
		o.Fatal(err)
	}
}

// begin begins a life.
func (o *oracle) begin() {
	o.mortal = &mortal{Dir: o.disk, left: rapid.IntRange(-60, 80).Draw(o.T, "changes"), backward: rapid.Bool().Draw(o.T, "backward")}
	o.c, o.v = one(-1)
	o.pending, o.swept = make(map[*Saving]*kept), false
	o.async = rapid.Bool().Draw(o.T, "async")
	opts := &ManagerOptions{Now: o.now.now}
	n := rapid.IntRange(1, 3).Draw(o.T, "n")
	policy := rapid.IntRange(0, 3).Draw(o.T, "policy")
	if o.best {
		policy = 2 + policy%2
	}
	switch policy {
	case 0:
		opts.MaxToKeep = n
	case 1:
		opts.MaxToKeep, opts.KeepCheckpointEvery = n, time.Hour
	case 2:
		opts.Retention = retention.Any(retention.Latest(n), retention.Best(1, retention.Lowest("loss")))
	case 3:
		opts.Retention = retention.All(retention.Any(retention.Latest(n), retention.Best(1, retention.Lowest("loss"))), retention.MaxBytes(1000))
	}
	if o.async {
		opts.Async = &Async{Queue: rapid.IntRange(0, 2).Draw(o.T, "queue")} // Block: what is drawn may not depend on timing
	}
	m, err := NewManager(background(), o.c, o.mortal, opts)
	o.journal = append(o.journal, fmt.Sprintf("begin %+v %+v", opts, opts.Async))
	if o.m = m; err != nil {
		o.Fatal(err)
	}
	if rapid.IntRange(0, 4).Draw(o.T, "fresh") > 0 {
		o.restore()
	}
}

// restore restores the newest, which is not before the newest saved that is
// not rejected.
func (o *oracle) restore() {
	path, err := o.m.RestoreOrInitialize(background())
	want := o.good
	switch {
	case want == nil && (err == nil || errors.Is(err, ErrNoneValid)):
	case o.mortal.died():
	case err != nil:
		o.Fatalf("RestoreOrInitialize() = %v, want %+v", err, want)
	case want != nil && o.v.Value[0] < want.value:
		o.Fatalf("restored %s of %v, want %+v or newer", path, o.v.Value[0], want)
	}
}

// again finds good and bestOne when one was rejected.
func (o *oracle) again() {
	o.good, o.bestOne = nil, nil
	for _, k := range o.saved {
		if k.rejected || !o.there(k) {
			continue
		}
		if o.good = k; o.bestOne == nil || k.loss < o.bestOne.loss {
			o.bestOne = k
		}
	}
}

// saves makes some saves in a row, and waits for them, so that what is drawn
// next does not depend on how fast they are.
func (o *oracle) saves() {
	o.now.add(time.Duration(rapid.IntRange(-20, 90).Draw(o.T, "minutes")) * time.Minute)
	for _, loss := range rapid.SliceOfN(rapid.Float64Range(0, 9), 1, 3).Draw(o.T, "losses") {
		o.save(math.Floor(loss))
	}
	o.settle()
}

func (o *oracle) save(loss float64) {
	o.serial++
	o.v.Value[0] = o.serial
	k := &kept{value: o.serial, loss: loss}
	s, err := o.m.Begin(background(), &SaveOptions{Metrics: map[string]float64{"loss": k.loss}})
	o.v.Value[0] = -100
	if s == nil {
		if !o.mortal.died() {
			o.Fatalf("Begin() = nil, %v", err)
		}
		return
	}
	o.journal = append(o.journal, fmt.Sprint("begun ", s.Path(), " ", k.value, " ", err))
	if k.path = s.Path(); slices.ContainsFunc(o.saved, func(other *kept) bool { return other.path == k.path }) {
		o.Fatalf("%s is saved twice", k.path)
	}
	o.pending[s] = k
}

// settle waits for what was begun.
func (o *oracle) settle() {
	var done []*kept
	for s, k := range o.pending {
		err := s.Wait(background())
		o.journal = append(o.journal, fmt.Sprint(k.path, " ", k.value, " ended ", err))
		delete(o.pending, s)
		if err == nil {
			done, o.swept = append(done, k), true
		} else if !o.mortal.died() {
			o.Fatalf("%s: %v", k.path, err)
		}
	}
	o.saved = append(o.saved, done...)
	for _, k := range done {
		if o.good == nil || k.value > o.good.value {
			o.good = k
		}
		if o.bestOne == nil || k.loss < o.bestOne.loss || k.loss == o.bestOne.loss && k.value < o.bestOne.value {
			o.bestOne = k
		}
	}
	slices.SortFunc(o.saved, func(a, b *kept) int { return int(a.value - b.value) })
}

func (o *oracle) die() {
	o.settle()
	if err := o.m.Close(background()); err != nil && !o.mortal.died() {
		o.Fatalf("Close() = %v", err)
	}
	o.check()
	o.begin()
}

// any is a checkpoint that is there, or nil.
func (o *oracle) any() *kept {
	there := slices.DeleteFunc(slices.Clone(o.saved), func(k *kept) bool { return !o.there(k) })
	if len(there) == 0 {
		return nil
	}
	return there[rapid.IntRange(0, len(there)-1).Draw(o.T, "which")]
}

func (o *oracle) there(k *kept) bool {
	is, err := Exists(background(), o.disk, k.path)
	o.must(err)
	return is
}

func (o *oracle) mark() {
	o.settle()
	k := o.any()
	if k == nil {
		return
	}
	var err error
	switch rapid.IntRange(0, 5).Draw(o.T, "mark") {
	case 0:
		if err = Pin(background(), o.disk, k.path, "x"); err == nil {
			k.pinned = true
		}
	case 1:
		k.pinned = false
		err = o.m.Unpin(background(), k.path)
	case 2, 3:
		if err = Reject(background(), o.disk, k.path, "bad"); err == nil {
			k.rejected = true
			o.again()
		}
	case 4:
		var l *Lease
		if l, err = TakeLease(background(), o.disk, k.path, &LeaseOptions{Now: o.now.now, TTL: math.MaxInt64}); err == nil {
			if old := o.leases[k.path]; old != nil {
				o.must(old.Release(background()))
			}
			o.leases[k.path] = l
		}
	case 5:
		for p, l := range o.leases {
			delete(o.leases, p)
			err = errors.Join(err, l.Release(background()))
		}
	}
	if err != nil && !errors.Is(err, errDead) {
		o.Fatalf("mark %s: %v", k.path, err)
	}
}

// check looks at everything that must be there.
func (o *oracle) check() {
	o.settle()
	for _, k := range o.saved {
		if got := o.value(k.path); (k.pinned || o.leases[k.path] != nil) && got != k.value {
			o.fail("%+v: restored %v", *k, got)
		}
	}
	// What a save did not live to tell of may be newer or better.
	newest, good, best := float32(-1), float32(-1), math.Inf(1)
	list, err := List(background(), o.disk, &ListOptions{Receipts: true})
	o.must(err)
	for _, l := range list {
		if v := o.value(l.Path); l.Receipt != nil && v >= 0 {
			newest = max(newest, v)
			if l.Receipt.Rejected == "" {
				good, best = max(good, v), min(best, l.Receipt.Metrics["loss"])
			}
		}
	}
	if n := len(o.saved); n > 0 && newest < o.saved[n-1].value {
		o.fail("newest is %v, want %+v", newest, *o.saved[n-1])
	}
	if o.good != nil && good < o.good.value {
		o.fail("newest that is not rejected is %v, want %+v", good, *o.good)
	}
	if o.best && o.bestOne != nil && best > o.bestOne.loss {
		o.fail("best is %v, want %+v", best, *o.bestOne)
	}
	o.checkState()
}

func (o *oracle) fail(format string, args ...any) {
	o.Helper()
	o.Fatalf("%s; on disk are %v; %s", fmt.Sprintf(format, args...), o.listing(), strings.Join(o.journal, "; "))
}

// value restores a checkpoint; -1 if it cannot.
func (o *oracle) value(path string) float32 {
	c, v := one(-1)
	if _, err := c.Restore(background(), o.disk, path); err != nil {
		return -1
	}
	return v.Value[0]
}

func (o *oracle) checkState() {
	s, err := ReadState(background(), o.disk)
	if err != nil {
		if len(o.saved) > 0 {
			o.Fatal(err)
		}
		return
	}
	// What a died one had half removed is listed until it is removed.
	sets, err := shelf.Scan(background(), o.disk, "")
	o.must(err)
	for _, p := range s.AllModelCheckpointPaths {
		if sets[p] == nil && o.swept && !o.mortal.died() {
			o.fail("%s is listed and gone, state %+v", p, s)
		}
	}
	if is, err := Exists(background(), o.disk, s.ModelCheckpointPath); err != nil || !is {
		o.Fatalf("the latest, %s, is gone (%v)", s.ModelCheckpointPath, err)
	}
}

func (o *oracle) listing() (names []string) {
	for info, err := range o.disk.List(context.Background(), "") {
		o.must(err)
		names = append(names, info.Name)
	}
	return names
}

// foreign lets others do something in the directory.
func (o *oracle) foreign() {
	switch rapid.IntRange(0, 2).Draw(o.T, "foreign") {
	case 0:
		o.must(storage.WriteFile(background(), o.disk, fmt.Sprintf("ckpt-%d.data-00000-of-00002", int(o.serial)+3), []byte("x")))
	case 1:
		o.must(storage.WriteFile(background(), o.disk, "other-1.index", []byte("x")))
	case 2:
		o.settle()
		s, err := ReadState(background(), o.disk)
		if err == nil { // TensorFlow's manager, having done nothing
			o.must(WriteState(background(), o.disk, s))
		}
	}
}

func TestWhatMustBeThereIs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := &oracle{T: r, disk: mem.Dir(), now: at(1.7e9), leases: make(map[string]*Lease)}
		defer func() {
			for _, l := range o.leases {
				_ = l.Release(background())
			}
		}()
		o.best = rapid.Bool().Draw(r, "best")
		o.begin()
		for range rapid.IntRange(1, 40).Draw(r, "operations") {
			switch rapid.IntRange(0, 9).Draw(r, "operation") {
			case 0:
				o.die()
			case 1, 2:
				o.mark()
			case 3:
				o.foreign()
			default:
				o.saves()
			}
			if o.mortal.died() {
				o.die()
			}
			if rapid.Bool().Draw(r, "check") {
				o.check()
			}
		}
		o.die()
	})
}
