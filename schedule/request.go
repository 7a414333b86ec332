package schedule

import (
	"fmt"
	"os"
	"sync"
)

// Request is due when somebody has asked for a save, and until there is one.
// The zero Request is ready for use, by several goroutines at once.
type Request struct {
	mu     sync.Mutex
	reason string // of the last that asked
	asked  bool   // since Due was last called
	armed  bool
	saves  int64 // when that was noticed
}

// Ask makes a save due, for a reason.
func (r *Request) Ask(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.reason = true, reason
}

// Due is true from Ask on until there is one more save. What is asked while a
// save is under way calls for another.
func (r *Request) Due(h History, _ Moment) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked {
		r.asked, r.armed, r.saves = false, true, h.Saves()
	}
	if !r.armed || h.Saves() > r.saves {
		return "", false
	}
	return r.reason, true
}

// Signal is due when the channel has delivered a signal, and until there is a
// save. It is for signal.Notify's channel, which should have room for one.
func Signal(c <-chan os.Signal) Schedule { return &onSignal{c: c} }

type onSignal struct {
	c <-chan os.Signal
	r Request
}

func (s *onSignal) Due(h History, now Moment) (string, bool) {
	select {
	case sig, ok := <-s.c:
		if ok { // not closed
			s.r.Ask(fmt.Sprintf("signal: %v", sig))
		}
	default:
	}
	return s.r.Due(h, now)
}
