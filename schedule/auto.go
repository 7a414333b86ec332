package schedule

import (
	"fmt"
	"math"
	"time"
)

// DefaultOverhead is the share of a training's time that Auto spends on saves
// unless it is told another.
const DefaultOverhead = 0.02

// shortest is what Auto and YoungDaly leave between two saves at least. It is
// little to lose, and a small model that is saved in a millisecond would else
// wear a disk out by twenty saves a second.
const shortest = 10 * time.Second

// Auto is due as often as costs the training at most the share overhead of its
// time, DefaultOverhead if that is 0. What a save costs is the time for which
// the training waited in the last one, which a Manager measures: the next is
// due when so much time has passed since the last began that it is paid for. So
// the share holds over all saves but the last, also where costs vary, and a
// save that took unusually long is followed by an unusually long time without
// any: Any(Auto(0), Interval(time.Hour)) bounds that.
//
// The first save is due at once, because nobody knows yet what one costs. After
// that there are never less than ten seconds between two, and none is due while
// one is being written. After a restart it goes on from the last save's receipt.
func Auto(overhead float64) Schedule {
	if overhead == 0 {
		overhead = DefaultOverhead
	}
	return auto{overhead: overhead}
}

// YoungDaly is due each sqrt(2·cost·mtbf), which loses the least time in all
// to saves and to what is computed anew after failures, where these are mtbf
// apart on average: that of all machines together, an hour for a thousand of
// which each fails every six weeks. It costs no more than the share overhead;
// 0 sets no bound, because the training would lose more by saving less.
// Otherwise it is as Auto.
func YoungDaly(mtbf time.Duration, overhead float64) Schedule {
	return auto{overhead: overhead, failing: true, mtbf: mtbf}
}

type auto struct {
	overhead float64 // 0: no bound
	failing  bool    // mtbf counts
	mtbf     time.Duration
}

func (a auto) Due(h History, now Moment) (string, bool) {
	if h.count == 0 {
		return "the first: it shows what a save costs", true
	}
	since := now.Time.Sub(h.last.Time)
	if since < 0 { // the clock went back, nobody knows how far
		return "the clock is before the last save", true
	}
	if since < a.period(h.cost) {
		return "", false
	}
	return fmt.Sprintf("%v after the last save, which cost %v", since.Round(time.Second), h.cost.Stall), true
}

// period returns the time from the beginning of a save that cost c to that of
// the next.
func (a auto) period(c Cost) time.Duration {
	stall, period := c.Stall.Seconds(), 0.0
	if a.failing {
		period = math.Sqrt(2 * stall * a.mtbf.Seconds())
	}
	if a.overhead > 0 {
		period = max(period, stall/a.overhead)
	}
	return max(seconds(period), c.Write, shortest)
}

// seconds rounds up, so that a share is never more than it may be, and stops
// at the longest there is.
func seconds(s float64) time.Duration {
	ns := math.Ceil(s * float64(time.Second))
	if !(ns < math.MaxInt64) {
		return math.MaxInt64
	}
	return time.Duration(ns)
}

func (a auto) check() error {
	switch {
	case !(a.overhead >= 0 && a.overhead < 1):
		return fmt.Errorf("schedule: overhead is %v, want a share between 0 and 1", a.overhead)
	case a.failing && a.mtbf <= 0:
		return fmt.Errorf("schedule: failures each %v: want more than 0", a.mtbf)
	}
	return nil
}
