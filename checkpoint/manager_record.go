package checkpoint

import (
	"bytes"
	"context"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// entry returns what the manager's list has of w.
func (w *writing) entry() retention.Checkpoint {
	c := w.receipt.checkpoint(w.Path, w.receipt.Time)
	c.Verified = true // every byte of it was written by this process, and flushed
	return c
}

// record writes the state file by write, if it is not already so.
func (m *Manager) record(ctx context.Context, l ledger.Ledger, write func(context.Context, storage.Dir, string, []byte) error) error {
	text, err := m.toRecord(l)
	if err != nil || text == nil {
		return err
	}
	if err := write(ctx, m.out, filename.State, text); err != nil {
		return err
	}
	m.recorded(text)
	return nil
}

// toRecord returns what the state file is to say, nil if it does. From now on,
// until the text is recorded, it may be the old file or the new one.
func (m *Manager) toRecord(l ledger.Ledger) ([]byte, error) {
	text, err := State(l.State()).text()
	if err != nil || bytes.Equal(text, m.seen) {
		return nil, err
	}
	m.seen = nil
	return text, nil
}

// recorded notes that the state file says text, which toRecord has returned.
func (m *Manager) recorded(text []byte) {
	if text != nil {
		m.seen = text
	}
}

// size returns the bytes of all files that the receipt tells of.
func (r Receipt) size() int64 {
	var n int64
	for _, f := range slices.Concat(r.Files, r.Parity) {
		n += f.Size
	}
	return n
}
