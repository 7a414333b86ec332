package publish

import (
	"context"
	"path"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// stateFile returns name and text of the state file, no text if it stays as it is.
func (w *Writing) stateFile() (name string, text []byte, err error) {
	if w.StateText != nil {
		text, err = w.StateText()
	}
	return path.Join(path.Dir(w.Path), filename.State), text, err
}

// createState creates the state file that is published with the checkpoint:
// flushed beside its files, it costs one wait less than by itself.
func (w *Writing) createState(ctx context.Context, out *output) error {
	name, text, err := w.stateFile()
	if err != nil || len(text) == 0 {
		return err
	}
	if out.state, err = w.Dir.Create(ctx, name); err != nil {
		return err
	}
	_, err = out.state.Write(text)
	return err
}

// writeState writes the state file of a checkpoint that is there.
func (w *Writing) writeState(ctx context.Context) error {
	name, text, err := w.stateFile()
	if err != nil || len(text) == 0 {
		return err
	}
	return storage.WriteFile(ctx, w.Dir, name, text)
}
