package mem

import (
	"context"
	"fmt"
	"io/fs"
	"time"
)

type pending struct {
	ctx  context.Context
	d    *dir
	name string
	data []byte
	done string // "committed" or "discarded", once it is
}

func (p *pending) open(op string) error {
	if p.done != "" {
		return pathError(op, p.name, fmt.Errorf("already %s: %w", p.done, fs.ErrClosed))
	}
	return p.ctx.Err()
}

func (p *pending) Write(b []byte) (int, error) {
	if err := p.open("write"); err != nil {
		return 0, err
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
	p.d.files[p.name] = content{p.data, time.Now()}
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
