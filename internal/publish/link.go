package publish

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// ParityShare is how many bytes of data there are to one of parity, at most.
const ParityShare = 8

// link gives the files that the plan links their new names, which nobody sees
// yet. again: some of them cannot be had, and another plan has to be made.
func (w *Writing) link(ctx context.Context, p *plan) (again bool, err error) {
	if len(p.split.links) == 0 {
		return false, nil
	}
	for i, f := range p.split.links {
		err := w.linkFile(ctx, p, p.writes+i, p.base.files[f])
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) {
			w.notLinked(ctx, p.base.files[f], err)
			p.barred[f], again = true, true
			break
		}
		if err != nil {
			return false, errors.Join(err, p.drop())
		}
	}
	if !again {
		again, err = w.isOther(ctx, p)
	}
	if again || err != nil {
		err = errors.Join(err, p.drop())
	}
	return again, err
}

// notLinked tells of a file that is written again. That one was removed is what
// becomes of checkpoints.
func (w *Writing) notLinked(ctx context.Context, f baseFile, why error) {
	level := slog.LevelWarn
	if errors.Is(why, fs.ErrNotExist) {
		level = slog.LevelDebug
	}
	w.Log.Log(ctx, level, "a data file cannot be linked, and is written again", "path", w.Path, "file", f.info.Name, "err", why)
}

func (w *Writing) linkFile(ctx context.Context, p *plan, shard int, f baseFile) error {
	name := tensorbundle.DataName(w.Path, shard, p.writes+len(p.split.links))
	if w.Protect && f.parity == nil {
		return errors.ErrUnsupported
	}
	if err := w.linkOne(ctx, p, f.info.Name, name); err != nil || !w.Protect {
		return err
	}
	return w.linkOne(ctx, p, f.parity.info.Name, parityOf(name))
}

func (w *Writing) linkOne(ctx context.Context, p *plan, from, to string) error {
	// It is published by whoever writes, perhaps when this call has ended long ago.
	pending, err := storage.Share(context.WithoutCancel(ctx), w.Dir, from, to)
	if err == nil {
		p.pending = append(p.pending, pending)
	}
	return err
}

// drop gives up the links that are not published.
func (p *plan) drop() (err error) {
	for _, one := range p.pending {
		err = errors.Join(err, one.Discard())
	}
	p.pending = nil
	return err
}

// isOther reports whether a name that was linked is not of the file any more
// that the base means, as far as the place tells. It looks when the names are
// taken: what comes to be there later does not matter.
func (w *Writing) isOther(ctx context.Context, p *plan) (other bool, err error) {
	now, err := listed(ctx, w.Dir, p.base.path)
	if err != nil {
		return false, err
	}
	for _, i := range p.split.links {
		f := p.base.files[i]
		is := isSame(now, f.info) && (f.parity == nil || !w.Protect || isSame(now, f.parity.info))
		if !is {
			w.Log.Debug("a data file is not the one that was written, and is written again", "path", w.Path, "file", f.info.Name)
			p.barred[i], other = true, true
		}
	}
	return other, nil
}

func isSame(now map[string]storage.Info, was storage.Info) bool {
	is, there := now[was.Name]
	return there && is.Size == was.Size && is.ID == was.ID && is.ModTime.Equal(was.ModTime)
}

// listed returns the files of a checkpoint, by name.
func listed(ctx context.Context, dir storage.Dir, path string) (map[string]storage.Info, error) {
	files := make(map[string]storage.Info)
	err := shelf.EachFile(ctx, dir, path+".", func(info storage.Info) { files[info.Name] = info })
	return files, err
}

func parityOf(name string) string { return filename.OfParity(name) }

func sortByOffset(entries []tensorbundle.Entry) {
	slices.SortFunc(entries, func(a, b tensorbundle.Entry) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(keyOfEntry(a), keyOfEntry(b)))
	})
}

// linkedFile is what the receipt says of the file shard, which is linked.
func (w *Writing) linkedFile(shard int) shelf.File {
	p := w.plan
	f := p.from(shard)
	name := tensorbundle.DataName(w.Path, shard, p.writes+len(p.split.links))
	return shelf.File{Name: path.Base(name), Size: f.info.Size, CRC32C: f.crc, Linked: f.origin}
}

// linkedParity is what it says of the parity of that, if there is to be any.
func (w *Writing) linkedParity(shard int) []shelf.File {
	f := w.plan.from(shard)
	if !w.Protect {
		return nil
	}
	told := f.parity.told
	told.Name, told.Linked = parityOf(w.linkedFile(shard).Name), parityOf(f.origin)
	return []shelf.File{told}
}

// Links returns what the plan links, parity included, as the receipt will tell it.
func (w *Writing) Links() (files []shelf.File) {
	if w.plan == nil {
		return nil
	}
	for i := range w.plan.split.links {
		shard := w.plan.writes + i
		files = append(append(files, w.linkedFile(shard)), w.linkedParity(shard)...)
	}
	return files
}
