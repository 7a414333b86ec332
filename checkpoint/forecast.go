package checkpoint

import (
	"math"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Forecast says when the disk will be full if all goes on as it went.
type Forecast struct {
	PerHour float64       // bytes by which the directory grows, removals taken off
	Full    time.Duration // until there is no room for one more checkpoint
}

// Forecast goes by the numbers of the checkpoints that are there and by when
// they were saved: what stays of all that were ever saved is what a run grows
// by. Runs that have stopped do not count. It returns nil where nothing grows,
// where there is too little to go by, and where the place does not tell what is
// free.
func (u DiskUsage) Forecast(now time.Time) *Forecast {
	f, largest := &Forecast{}, int64(0)
	for _, r := range u.Runs {
		if rate := r.perHour(now); rate > 0 {
			f.PerHour += rate
			largest = max(largest, r.Unique/int64(r.Checkpoints))
		}
	}
	if f.PerHour == 0 || u.Space == nil {
		return nil
	}
	hours := float64(max(0, u.Space.Free-largest)) / f.PerHour
	f.Full = time.Duration(min(hours*float64(time.Hour), math.MaxInt64/2))
	return f
}

// course is what a name's numbers and times reach over.
type course struct {
	count     int
	low, high int64
	from, to  time.Time // when these two were saved
}

// saved notes a checkpoint, by its index.
func (r *RunUsage) saved(info storage.Info) {
	r.Checkpoints++
	f, _ := filename.Parse(info.Name)
	name, n, ok := filename.SplitNumber(f.Path)
	if !ok {
		return
	}
	s := r.names[name]
	if s == nil {
		s = &course{low: n, high: n, from: info.ModTime, to: info.ModTime}
		r.names[name] = s
	}
	s.count++
	if n < s.low {
		s.low, s.from = n, info.ModTime
	}
	if n > s.high {
		s.high, s.to = n, info.ModTime
	}
}

// enoughTime is how long a run must have saved for its pace to mean something.
const enoughTime = time.Minute

// stopped is how many of its usual intervals a run may be late.
const stopped = 10

// perHour returns what the names together let the run grow by: of what they
// take now, the share of the numbers that the time from low to high brought.
func (r RunUsage) perHour(now time.Time) (rate float64) {
	for _, s := range r.names {
		took := s.to.Sub(s.from)
		if s.count < 2 || took < enoughTime || now.Sub(s.to) > stopped*took/time.Duration(s.count-1) {
			continue
		}
		bytes := float64(r.Unique) * float64(s.count) / float64(r.Checkpoints)
		rate += bytes * float64(s.high-s.low) / float64(s.high) / took.Hours()
	}
	return rate
}
