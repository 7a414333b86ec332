package checkpoint

import (
	"time"

	"github.com/ckpt-dev/ckpt/schedule"
)

// Stats tell what the saves of a Manager have cost, since it was made. Of
// several workers each has its own Stall; the one that leads has the rest.
type Stats struct {
	Saves   int64 // written and recorded
	Failed  int64 // an error was returned, or told later
	Skipped int64 // for want of room in the queue: never begun, or replaced
	// Stall is what saves made their callers wait, failed ones included: all
	// of it, or with Async the copying and the waiting for room.
	Stall Spent
	// Write is what writing took until the disk had everything. With Async a
	// save's waiting for others is not counted.
	Write Spent
	Bytes int64 // of all checkpoints written: data, index and parity, without what was only linked
	Last  int64 // bytes of the last of them
}

// Spent is time that something took, again and again.
type Spent struct {
	Times       int64
	Last, Total time.Duration
}

// Mean returns the mean of all times.
func (s Spent) Mean() time.Duration {
	if s.Times == 0 {
		return 0
	}
	return s.Total / time.Duration(s.Times)
}

// Bandwidth returns how many bytes a second were written, by all saves.
func (s Stats) Bandwidth() float64 { return rate(s.Bytes, s.Write.Total) }

// LastBandwidth returns how many bytes a second the last save has written.
func (s Stats) LastBandwidth() float64 { return rate(s.Last, s.Write.Last) }

// rate is 0 where a coarse clock has seen no time pass.
func rate(bytes int64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return float64(bytes) / in.Seconds()
}

func (s *Spent) add(d time.Duration) {
	d = max(d, 0) // the clock went back
	s.Times, s.Last, s.Total = s.Times+1, d, s.Total+d
}

// Stats returns the statistics as of now. It never waits for a save.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// SaveDuration returns how long the last save of this manager took until it
// was durable and recorded, 0 if there was none. An asynchronous save's waiting
// for others is not counted. Other than a receipt's Duration, which is part of
// what is saved, it has the time until the disk had everything.
func (m *Manager) SaveDuration() time.Duration { return m.Stats().Write.Last }

// watch is a stopwatch. A schedule compares what a save cost with the time
// between saves: both are of the Manager's clock then. Without one it is not that
// clock, which may be set, but one that only goes forward.
func (m *Manager) watch() time.Time {
	if m.o.Every != nil {
		return m.o.Now()
	}
	return time.Now()
}

// stalled notes how a call of Begin, for a save that was due since then, ended
// for its caller: with a save or an error, or with neither, when it was skipped.
func (m *Manager) stalled(since time.Time, saving *Saving, err error) {
	d := m.watch().Sub(since)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.stats.Failed++
	case saving == nil:
		m.stats.Skipped++
		return
	default:
		m.cost.Stall = max(d, 0)
	}
	m.stats.Stall.add(d)
}

// written notes a save that was written and recorded.
func (m *Manager) written(took time.Duration, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Write.add(took)
	m.stats.Bytes, m.stats.Last = m.stats.Bytes+bytes, bytes
	m.cost.Write = m.stats.Write.Last
}

// costs returns what a save costs, as far as it is known at now: one that is
// under way takes longer than it has, and so is none due beside it.
func (m *Manager) costs(now time.Time) schedule.Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.cost
	if len(m.pending) > 0 {
		c.Write = max(c.Write, now.Sub(m.pending[0].moment.Time)+1)
	}
	return c
}
