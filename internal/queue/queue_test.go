package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
)

// journal notes what ran.
type journal []string

// job returns a job that stops at gate, if that is not nil.
func (j *journal) job(owner any, name string, gate chan struct{}) Job {
	return Job{owner, func() {
		*j = append(*j, name)
		if gate != nil {
			<-gate
		}
	}, func() { *j = append(*j, name+" dropped") }}
}

func wantJournal(t *testing.T, j journal, want ...string) {
	t.Helper()
	if !slices.Equal(j, want) {
		t.Errorf("ran %v, want %v", j, want)
	}
}

func TestJobsRunOneAfterAnotherInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		var j journal
		gate := make(chan struct{})
		for i := range 5 {
			q.Put(j.job(nil, fmt.Sprint(i), gate), Limit{Waiting: 9})
		}
		for i := range 5 {
			synctest.Wait()
			if len(j) != i+1 || q.Waiting() != 4-i {
				t.Errorf("%v ran and %d wait, want %d and %d", j, q.Waiting(), i+1, 4-i)
			}
			gate <- struct{}{}
		}
		if err := q.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		wantJournal(t, j, "0", "1", "2", "3", "4")
	})
}

func TestRoomWaitsUntilThereIsSome(t *testing.T) {
	for waiting := range 3 {
		synctest.Test(t, func(t *testing.T) {
			var q Queue
			var j journal
			gate := make(chan struct{})
			l := Limit{Waiting: waiting}
			for range waiting + 1 {
				if q.Full(nil, l) {
					t.Error("Full() with room")
				}
				q.Put(j.job(nil, "", gate), l)
			}
			if !q.Full(nil, l) {
				t.Error("Full() = false without room")
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := errors.New("not yet")
			go func() { ended = q.Room(ctx, nil, l) }()
			synctest.Wait()
			cancel()
			synctest.Wait()
			if ended != context.Canceled {
				t.Errorf("Room() = %v, want context.Canceled", ended)
			}
			go func() { ended = q.Room(context.Background(), nil, l) }()
			gate <- struct{}{}
			synctest.Wait()
			if ended != nil {
				t.Errorf("Room() = %v, want nil when a job has ended", ended)
			}
			close(gate)
		})
	}
}

func TestReplaceDropsTheNewestOfTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		var j journal
		gate := make(chan struct{})
		mine, other := new(int), new(int)
		l := Limit{Waiting: 2, Replace: true}
		q.Put(j.job(mine, "a", gate), l)
		synctest.Wait()
		q.Put(j.job(mine, "b", nil), l)
		q.Put(j.job(mine, "c", nil), l)
		if q.Full(mine, l) || !q.Full(other, l) {
			t.Error("Full() = true for who can replace, or false for who cannot")
		}
		q.Put(j.job(mine, "d", nil), l)
		q.Put(j.job(other, "e", nil), l)
		q.Put(j.job(mine, "f", nil), l)
		close(gate)
		synctest.Wait()
		wantJournal(t, j, "a", "c dropped", "d dropped", "b", "e", "f")
	})
}

func TestAJobWithoutDroppedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		var j journal
		gate := make(chan struct{})
		l := Limit{Waiting: 1, Replace: true}
		q.Put(j.job(nil, "a", gate), l)
		synctest.Wait()
		last := j.job(nil, "b", nil)
		last.Dropped = nil
		q.Put(last, l)
		q.Put(j.job(nil, "c", nil), l)
		close(gate)
		synctest.Wait()
		wantJournal(t, j, "a", "b", "c")
	})
}

func TestDoRunsAloneInTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		var j journal
		gate := make(chan struct{})
		q.Put(j.job(nil, "a", gate), Limit{})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := q.Do(ctx, func() { t.Error("Do ran beside a job") }); err != context.Canceled {
			t.Errorf("Do() = %v, want context.Canceled", err)
		}
		hold := make(chan struct{})
		var did error
		go func() {
			did = q.Do(context.Background(), func() {
				j = append(j, "do")
				<-hold
			})
		}()
		synctest.Wait()
		close(gate)
		synctest.Wait()
		q.Put(j.job(nil, "b", nil), Limit{})
		synctest.Wait()
		wantJournal(t, j, "a", "do")
		close(hold)
		synctest.Wait()
		if did != nil {
			t.Errorf("Do() = %v, want nil", did)
		}
		wantJournal(t, j, "a", "do", "b")
	})
}

// TestWaitIsForWhatWasBefore: what comes later, or is dropped, is not waited
// for.
func TestWaitIsForWhatWasBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		var j journal
		first, second := make(chan struct{}), make(chan struct{})
		l := Limit{Waiting: 1, Replace: true}
		q.Put(j.job(nil, "a", first), l)
		q.Put(j.job(nil, "b", nil), l)
		waited := false
		go func() { waited = q.Wait(context.Background()) == nil }()
		synctest.Wait()
		q.Put(j.job(nil, "c", second), l) // instead of b
		synctest.Wait()
		if waited {
			t.Error("Wait() returned while a runs")
		}
		close(first)
		synctest.Wait()
		if !waited {
			t.Error("Wait() waits for c, which came later")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := q.Wait(ctx); err != context.Canceled {
			t.Errorf("Wait() = %v, want context.Canceled", err)
		}
		close(second)
	})
}

func TestAJobThatEndsItsGoroutineIsNoEndOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		var j journal
		q.Put(Job{Run: runtime.Goexit}, Limit{})
		q.Put(j.job(nil, "after", nil), Limit{Waiting: 9})
		synctest.Wait()
		wantJournal(t, j, "after")
	})
}
