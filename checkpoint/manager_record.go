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
	text, err := State(l.State()).text()
	if err != nil {
		return err
	}
	if bytes.Equal(text, m.seen) {
		return nil
	}
	if err := write(ctx, m.out, filename.State, text); err != nil {
		m.seen = nil // it may be the old file or the new one
		return err
	}
	m.seen = text
	return nil
}

// size returns the bytes of all files that the receipt tells of.
func (r Receipt) size() int64 {
	var n int64
	for _, f := range slices.Concat(r.Files, r.Parity) {
		n += f.Size
	}
	return n
}
