package publish

import (
	"context"

	"github.com/ckpt-dev/ckpt/storage"
)

// stateText returns the text of the state file, none if it stays as it is.
func (w *Writing) stateText() ([]byte, error) {
	if w.StateText == nil {
		return nil, nil
	}
	return w.StateText()
}

// createState creates the state file that is published with the checkpoint:
// flushed beside its files, it costs one wait less than by itself.
func (w *Writing) createState(ctx context.Context, out *output) error {
	text, err := w.stateText()
	if err != nil || len(text) == 0 {
		return err
	}
	if out.state, err = w.Dir.Create(ctx, w.StateName); err != nil {
		return err
	}
	_, err = out.state.Write(text)
	return err
}

// writeState writes the state file of a checkpoint that is there.
func (w *Writing) writeState(ctx context.Context) error {
	text, err := w.stateText()
	if err != nil || len(text) == 0 {
		return err
	}
	return storage.WriteFile(ctx, w.Dir, w.StateName, text)
}
