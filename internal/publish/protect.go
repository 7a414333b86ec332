package publish

import (
	"context"
	"io"
	"path"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/parity"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// protected is a file that is written, and with it its parity if there is to
// be one. That costs no second reading: it is made of the bytes as they pass.
type protected struct {
	file    io.Writer
	name    string          // of the parity
	pending storage.Pending // nil: there is none
	parity  *parity.Writer
}

// protect begins the parity of the file name that goes to w.
func (w *Writing) protect(ctx context.Context, name string, to io.Writer) (*protected, error) {
	p := &protected{file: to, name: filename.OfParity(name)}
	if !w.Protect {
		return p, nil
	}
	pending, err := w.Dir.Create(ctx, p.name)
	if err != nil {
		return nil, err
	}
	p.pending, p.parity = pending, parity.NewWriter(pending)
	return p, nil
}

// Write writes to the file first, as whoever sums bytes does after writing them:
// by then they are in the processor's cache.
func (p *protected) Write(b []byte) (int, error) { return p.pass(b, p.file.Write) }

// WriteKept makes the parity at once.
func (p *protected) WriteKept(b []byte) (int, error) {
	return p.pass(b, func(b []byte) (int, error) { return storage.WriteKept(p.file, b) })
}

func (p *protected) pass(b []byte, write func([]byte) (int, error)) (int, error) {
	n, err := write(b)
	if err != nil || p.parity == nil {
		return n, err
	}
	if _, err := p.parity.Write(b[:n]); err != nil {
		return n, err
	}
	return n, nil
}

// end ends the parity, which is not published yet, and returns what the receipt
// says of it.
func (p *protected) end() ([]shelf.File, error) {
	if p.parity == nil {
		return nil, nil
	}
	if err := p.parity.Close(); err != nil {
		return nil, err
	}
	size, sum := p.parity.Written()
	return []shelf.File{{Name: path.Base(p.name), Size: size, CRC32C: sum}}, nil
}

// indexLast are the last waves: the index, which makes it a checkpoint, and then
// the state file and, if it is a new one, the index's parity. Where that is there,
// the index was (shelf.InWaves).
func (o *output) indexLast(replaces bool) [][]storage.Pending {
	var after []storage.Pending
	if o.indexParity != nil && !replaces {
		after = append(after, o.indexParity)
	}
	if o.state != nil {
		after = append(after, o.state)
	}
	if after == nil {
		return [][]storage.Pending{{o.index}}
	}
	return [][]storage.Pending{{o.index}, after}
}

// bulk are all files but index and receipt.
func (o *output) bulk() []storage.Pending {
	if o.indexParity == nil {
		return o.data
	}
	return append(o.data[:len(o.data):len(o.data)], o.indexParity)
}
