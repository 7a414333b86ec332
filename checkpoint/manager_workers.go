package checkpoint

import (
	"context"
	"time"

	"github.com/ckpt-dev/ckpt/internal/ledger"
)

// together is one worker's part in a save of all.
func (s *save) together(ctx context.Context) (*Saving, error) {
	if s.crew.Leads() {
		handle, err := s.begin(ctx)
		text, failed := State(s.m.l.State()).text()
		if err == nil {
			err = failed
		}
		if err = s.crew.Finish(ctx, string(text), err); err != nil {
			return nil, err
		}
		return handle, nil
	}
	s.begun = s.m.watch()
	if s.m.o.StepCounter != nil {
		now := s.m.o.StepCounter()
		s.at = &now
	}
	var ready error
	if s.m.closing != nil {
		ready = errManagerClosed
	}
	w := s.writing()
	skip, err := s.m.c.follow(ctx, w, ready, s.m.follow)
	s.path = w.Path
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	if skip {
		return nil, nil
	}
	s.m.saved(s)
	return finished(s.path), nil
}

// follow takes over the list of the worker that leads.
func (m *Manager) follow(text string) {
	m.seen = []byte(text)
	s, err := parseState(m.seen)
	if err != nil {
		m.o.Logger.Warn("state of worker 0 is not understood", "err", err)
		return
	}
	// Its clock is the one that counts: nothing of this is in the future.
	m.l.TakeOver(ledger.State(s), time.Unix(1<<40, 0), func(string) bool { return true })
	m.l.Latest = s.ModelCheckpointPath
	m.show()
}
