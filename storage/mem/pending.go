package mem

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"time"
)

type pending struct {
	ctx    context.Context
	d      *dir
	name   string
	data   []byte
	mod    time.Time // of what is shared; zero: it is of its Commit
	shared bool      // data is another file's, too
	err    error     // of a Write to what is shared
	done   string    // "committed" or "discarded", once it is
}

func (p *pending) open(op string) error {
	if p.done != "" {
		return pathError(op, p.name, fmt.Errorf("already %s: %w", p.done, fs.ErrClosed))
	}
	return cmp.Or(p.err, p.ctx.Err())
}

func (p *pending) Write(b []byte) (int, error) {
	if err := p.open("write"); err != nil {
		return 0, err
	}
	if p.shared {
		p.err = pathError("write", p.name, fmt.Errorf("its bytes are another file's, too, and are not written: %w", fs.ErrInvalid))
		return 0, p.err
	}
	p.data = append(p.data, b...)
	return len(b), nil
}

func (p *pending) Commit() error {
	if err := p.open("commit"); err != nil {
		return err
	}
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.mod.IsZero() {
		p.mod = time.Now()
	}
	p.d.files[p.name] = content{p.data, p.mod}
	p.finish("committed")
	return nil
}

// finish lets go of the bytes, which from now on are the directory's or nobody's.
func (p *pending) finish(how string) { p.data, p.done = nil, how }

func (p *pending) Discard() error {
	if p.done == "" {
		p.finish("discarded")
	}
	return nil
}
