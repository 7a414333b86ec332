package checkpoint

import (
	"context"
	"path"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// survey is what a manager knows of its directory, so that a save need not
// list it: a listing costs more with every checkpoint that was ever kept.
type survey struct {
	sets  shelf.Sets // of the managed checkpoints at least
	top   int64      // no number above it is taken, as far as known
	stale bool       // a save has failed or overwritten something: list again
}

// survey lists the manager's files.
func (m *Manager) survey(ctx context.Context) error {
	sets, err := shelf.Scan(ctx, m.dir, m.l.Name+"-")
	if err != nil {
		return err
	}
	aside, err := shelf.HighestQuarantined(ctx, m.dir, m.l.Name)
	if err != nil {
		return err
	}
	m.files = survey{sets: sets, top: max(m.files.top, sets.Highest(m.l.Name), aside)}
	return nil
}

// surveyAndTidy leaves out the tidying where other processes are not kept out:
// what looks left over may be one's, just being written.
func (m *Manager) surveyAndTidy(ctx context.Context, state []byte) error {
	err := m.survey(ctx)
	if err != nil || !m.locked {
		return err
	}
	if did := m.tidy(ctx, state); did {
		return m.survey(ctx)
	}
	return nil
}

// saved notes what a save has written.
func (v *survey) saved(w *writing, name string) {
	if n, ok := filename.NumberOf(name, w.Path); ok {
		v.top = max(v.top, n)
	}
	v.sets[w.Path] = w.files()
	// Of what was there before, some may have stayed.
	v.stale = v.stale || w.Replaced()
}

// forget drops what is not managed any more.
func (v *survey) forget(path string) {
	delete(v.sets, path)
	delete(v.sets, filename.Recovery(path))
}

// files returns the files that w has written.
func (w *writing) files() *shelf.Set {
	shards := len(w.Wrote) - 1 // all others but the index are data
	names := []string{tensorbundle.IndexName(w.Path), ReceiptName(w.Path)}
	for i := range shards {
		names = append(names, tensorbundle.DataName(w.Path, i, shards))
	}
	for _, f := range w.Parity {
		names = append(names, path.Join(path.Dir(w.Path), f.Name))
	}
	sets := make(shelf.Sets)
	for _, name := range names {
		sets.Add(storage.Info{Name: name})
	}
	return sets[w.Path]
}
