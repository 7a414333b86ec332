package checkpoint

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

// In tfexact's mode a manager knows what CheckpointManager knows, and no
// better (checkpoint_management.py). The few places that differ besides these
// functions ask exact.

// exact reports whether the mode is on.
func (m *Manager) exact() bool { return m.c.o.Exactly.On() }

// loadExactly is load, from the state file and nothing else: no look at what
// is there, all names are the manager's own, and times that are missing at the
// end take their paths with them.
func (m *Manager) loadExactly(text []byte) error {
	now := m.o.Now()
	m.l = ledger.Ledger{Name: m.l.Name, LastPreserved: now.Add(-time.Second)}
	if text == nil {
		return nil
	}
	if !utf8.Valid(text) {
		return errors.New("state file: not UTF-8") // UnicodeDecodeError
	}
	if _, err := tfproto.ParseCheckpointState(text); err != nil {
		m.o.Logger.Warn("state file is broken and ignored", "err", err)
		return nil
	}
	s, err := parseState(text) // it may name no newest path: ValueError
	if err != nil {
		return err
	}
	m.l.Latest, _, _ = filename.Local(s.ModelCheckpointPath)
	m.l.LastPreserved = ledger.Earlier(ledger.State(s).Preserved(), now)
	m.l.Active, _ = ledger.State(s).Managed(now, m.l.LastPreserved, func(string) bool { return true })
	return nil
}

// surveyExactly looks for the files of whatever is listed, and forgets what
// others have written to the state file meanwhile.
func (m *Manager) surveyExactly(ctx context.Context) error {
	sets, err := shelf.Scan(ctx, m.dir, "")
	m.files, m.seen = survey{sets: sets}, nil
	return err
}
