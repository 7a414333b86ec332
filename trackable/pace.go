package trackable

import (
	"sync/atomic"
	"time"
)

// paces tells whether what could be read twice is better held. Which it is
// depends on the machine: a second reading from a slow disk takes long, and so
// does memory that was never used, of which the system must first find and clear
// every page. So both are tried.
type paces struct{ holding, verifying pace }

// pace is how long readings of one kind took.
type pace struct{ bytes, nanos atomic.Int64 }

const (
	paceLeast  = 1 << 20  // smaller tensors are held: they tell nothing, and take little
	paceSample = 16 << 20 // bytes of each kind that are enough to tell
)

// holds reports whether to hold a tensor: as long as that is not known to take
// longer than to read it again.
func (p *paces) holds(size int64) bool {
	switch {
	case size < paceLeast || p.holding.bytes.Load() < paceSample:
		return true
	case p.verifying.bytes.Load() < paceSample:
		return false
	}
	return p.holding.perByte() <= 2*p.verifying.perByte()
}

func (p *pace) perByte() float64 { return float64(p.nanos.Load()) / float64(p.bytes.Load()) }

// measure calls read, which reads size bytes.
func (p *pace) measure(size int64, read func() error) error {
	if size < paceLeast {
		return read()
	}
	begun := time.Now()
	err := read()
	p.nanos.Add(int64(time.Since(begun)))
	p.bytes.Add(size)
	return err
}
