package storage

import (
	"context"
	"iter"
	"strings"
)

// WithTrace returns d with tell called after each operation on it, with a
// line that names it: "create a", "commit a", "publish a", "discard a", "open a",
// "remove a", "list ckpt-", "link a b", "share a b", "lock a", "unlock a", "append a", "leftovers", "new a"; for CommitAll and
// RemoveAll "commit a b; c", where the semicolon parts the waves. An operation
// that failed ends in ": " and the error. Reads, writes, Close, and a Discard
// with nothing to do are left out. tell may be called by several goroutines.
func WithTrace(d Dir, tell func(line string)) Dir { return &trace{d, tell} }

type trace struct {
	d    Dir
	line func(string)
}

func (t *trace) tell(err error, words ...string) {
	line := strings.TrimSpace(strings.Join(words, " "))
	if err != nil {
		line += ": " + err.Error()
	}
	t.line(line)
}

func (t *trace) Open(ctx context.Context, name string) (File, error) {
	f, err := t.d.Open(ctx, name)
	t.tell(err, "open", name)
	return f, err
}

func (t *trace) Create(ctx context.Context, name string) (Pending, error) {
	p, err := t.d.Create(ctx, name)
	t.tell(err, "create", name)
	if err != nil {
		return nil, err
	}
	return &traced{Pending: p, t: t, name: name}, nil
}

func (t *trace) Remove(ctx context.Context, name string) error {
	err := t.d.Remove(ctx, name)
	t.tell(err, "remove", name)
	return err
}

func (t *trace) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var failed error
		defer func() { t.tell(failed, "list", prefix) }()
		for info, err := range t.d.List(ctx, prefix) {
			failed = err
			if !yield(info, err) {
				return
			}
		}
	}
}

func (t *trace) Link(ctx context.Context, oldname, newname string) error {
	err := Link(ctx, t.d, oldname, newname)
	t.tell(err, "link", oldname, newname)
	return err
}

func (t *trace) Lock(ctx context.Context, name string) (Held, error) {
	held, err := Lock(ctx, t.d, name)
	t.tell(err, "lock", name)
	if err != nil {
		return nil, err
	}
	return &tracedLock{Held: held, t: t, name: name}, nil
}

func (t *trace) Append(ctx context.Context, name string) (Growing, error) {
	g, err := Append(ctx, t.d, name)
	t.tell(err, "append", name)
	return g, err
}

func (t *trace) WriteNew(ctx context.Context, name string, data []byte) error {
	err := WriteNew(ctx, t.d, name, data)
	t.tell(err, "new", name)
	return err
}

// tracedLock keeps the name for the trace.
type tracedLock struct {
	Held
	t    *trace
	name string
}

func (l *tracedLock) Unlock() error {
	err := l.Held.Unlock()
	l.t.tell(err, "unlock", l.name)
	return err
}

func (t *trace) CommitAll(ctx context.Context, waves ...[]Pending) error {
	inner := make([][]Pending, len(waves))
	names := make([][]string, len(waves))
	for i, wave := range waves {
		for _, p := range wave {
			name := "?"
			if own, ok := p.(*traced); ok {
				p, name, own.done = own.Pending, own.name, true
			}
			inner[i] = append(inner[i], p)
			names[i] = append(names[i], name)
		}
	}
	err := CommitAll(ctx, t.d, inner...)
	t.tell(err, "commit", joinWaves(names))
	return err
}

func (t *trace) RemoveAll(ctx context.Context, waves ...[]string) error {
	err := RemoveAll(ctx, t.d, waves...)
	t.tell(err, "remove", joinWaves(waves))
	return err
}

func joinWaves(waves [][]string) string {
	words := make([]string, len(waves))
	for i, wave := range waves {
		words[i] = strings.Join(wave, " ")
	}
	return strings.Join(words, "; ")
}

// traced keeps the name for the trace, which no Pending tells.
type traced struct {
	Pending
	t    *trace
	name string
	done bool // committed or discarded: a Discard has nothing to do
}

func (p *traced) WriteKept(b []byte) (int, error) { return WriteKept(p.Pending, b) }

func (p *traced) Commit() error {
	err := p.Pending.Commit()
	p.done = p.done || err == nil
	p.t.tell(err, "commit", p.name)
	return err
}

func (p *traced) Publish() error {
	err := Publish(p.Pending)
	p.done = p.done || err == nil
	p.t.tell(err, "publish", p.name)
	return err
}

func (p *traced) Discard() error {
	err := p.Pending.Discard()
	if !p.done {
		p.t.tell(err, "discard", p.name)
	}
	p.done = true
	return err
}
