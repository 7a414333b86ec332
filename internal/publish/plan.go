package publish

import (
	"context"
	"fmt"
	"path"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
)

// plan is what a save with a Lineage does, known before its first byte.
type plan struct {
	split
	base     *base // nil: everything is written
	doubts   int
	items    []item
	at       map[string]int     // item, by key
	barred   map[int]bool       // files of the base that cannot be linked
	believed []format.Named     // linked, for the program says that they do not change
	sums     map[string]content // of what was written, as it was
	pending  []storage.Pending  // of the links, until they are part of an output
	counted  bool               // the links are among their files' uses, and that may have to be taken back
}

// Plan decides what is written and what is linked, and links that: the bytes are
// held from then on, whatever becomes of their names. Publish does it, if
// nobody has. Who plans and does not publish has to call Forget.
func (w *Writing) Plan(ctx context.Context) error {
	if w.Lineage == nil || w.plan != nil {
		return nil
	}
	return w.makePlan(ctx, false)
}

// makePlan is Plan; with trust, what the program says does not change is not
// looked at.
func (w *Writing) makePlan(ctx context.Context, trust bool) error {
	if w.Lineage == nil {
		return nil
	}
	b, doubts, err := w.foundation(ctx)
	if err != nil {
		return err
	}
	trust = trust && b != nil && b.doubts == doubts
	p := &plan{base: b, doubts: doubts, at: make(map[string]int), barred: make(map[int]bool), sums: make(map[string]content)}
	if err := w.compare(ctx, p, trust); err != nil {
		return err
	}
	for again := true; again; {
		p.split = w.Lineage.split(p.items, p.facts())
		if again, err = w.link(ctx, p); err != nil {
			return err
		}
	}
	w.plan = p
	w.count()
	return nil
}

// foundation returns the base, if this save may be built on it: what is
// written over something else is written whole.
func (w *Writing) foundation(ctx context.Context) (b *base, doubts int, err error) {
	if err := filename.Check(w.Path); err != nil {
		return nil, 0, err
	}
	b, doubts = w.Lineage.look(w.Dir)
	if b == nil || w.Free {
		return b, doubts, nil
	}
	is, err := shelf.Occupied(ctx, w.Dir, w.Path)
	if is {
		b = nil
	}
	return b, doubts, err
}

// compare goes through the tensors and keeps only what they are like.
func (w *Writing) compare(ctx context.Context, p *plan, trust bool) error {
	for t, err := range w.Tensors {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		d, err := sharding.Describe(t, 0)
		if err != nil {
			return err
		}
		key := keyOf(t)
		if _, twice := p.at[key]; twice {
			return fmt.Errorf("%s: is there twice", t.Name)
		}
		p.at[key] = len(p.items)
		p.items = append(p.items, w.item(p, t, d.Bytes, trust))
	}
	return nil
}

// item compares one tensor with the base.
func (w *Writing) item(p *plan, t format.Named, bytes int64, trust bool) item {
	one := item{bytes: bytes, at: -1}
	if !w.Lineage.watches(t) {
		return one
	}
	one.steady = w.isFrozen(t)
	if p.base == nil {
		return one
	}
	was, is := p.base.tensors[keyOf(t)]
	switch {
	case !is || was.sum == nil || !was.isLike(t):
	case trust && one.steady:
		one.at = was.entry.Shard
		p.believed = append(p.believed, t)
	case w.Lineage.isOf(was.sum, t.Tensor.Bytes()):
		one.at = was.entry.Shard
	case one.steady:
		w.warnThawed(t.Name)
	}
	return one
}

// watches reports whether a tensor may stay unwritten. Small ones would cost
// more to remember than to write.
func (l *Lineage) watches(t format.Named) bool {
	return t.Tensor.DType().Size() > 0 && t.Tensor.NumBytes() >= max(l.Tensor, 1)
}

// isFrozen reports whether the program promises that t does not change.
func (w *Writing) isFrozen(t format.Named) bool {
	return w.Frozen != nil && t.Tensor.DType().Size() > 0 && w.Frozen(t.Name)
}

func (w *Writing) warnThawed(name string) {
	w.Log.Warn("a frozen tensor has changed", "path", w.Path, "tensor", name)
}

func (p *plan) facts() []facts {
	if p.base == nil {
		return nil
	}
	var list []facts
	for i, f := range p.base.files {
		list = append(list, facts{name: f.info.Name, size: f.info.Size, uses: f.uses.Load(), barred: p.barred[i]})
	}
	return list
}

// count tells what is known now: how much is written, and who uses what.
func (w *Writing) count() {
	var written int64
	for i, t := range w.plan.items {
		if !w.plan.isLinked(i) {
			written += t.bytes
		}
	}
	w.Need, w.Bytes = written, written
	if w.Protect {
		w.Need += written / ParityShare
	}
	for _, f := range w.plan.links {
		w.plan.base.files[f].uses.Add(1)
	}
	w.plan.counted = true
	w.Linked = 0
	for _, f := range w.Links() {
		w.Linked += f.Size
	}
}

// abandon takes back what a save that has failed has counted and linked.
func (w *Writing) abandon() error {
	p := w.plan
	if p == nil {
		return nil
	}
	if p.counted {
		p.counted = false
		for _, f := range p.links {
			p.base.files[f].uses.Add(-1)
		}
	}
	return p.drop()
}

// written returns how many tensors are to be written.
func (p *plan) written() (n int) {
	for i := range p.items {
		if !p.isLinked(i) {
			n++
		}
	}
	return n
}

// links reports whether a tensor that is to be saved need not be written.
func (w *Writing) links(t format.Named) bool {
	if w.plan == nil {
		return false
	}
	i, known := w.plan.at[keyOf(t)]
	return known && w.plan.isLinked(i)
}

// from returns the file of the base that the file shard is.
func (p *plan) from(shard int) baseFile { return p.base.files[p.split.links[shard-p.writes]] }

// linked returns what the index is to know of the file shard, which is linked.
func (p *plan) linked(shard int) tensorbundle.Shard {
	from := p.from(shard)
	s := tensorbundle.Shard{Size: from.info.Size, CRC32C: from.crc}
	for key, k := range p.base.tensors {
		if i, is := p.at[key]; is && p.to[i] == shard {
			k.entry.Shard = shard
			s.Entries = append(s.Entries, k.entry)
		}
	}
	sortByOffset(s.Entries)
	return s
}

// remember makes what was published the base of the next save. If its files
// cannot be listed, that has none.
func (w *Writing) remember(ctx context.Context, shards []tensorbundle.Shard) {
	if w.Lineage == nil || w.plan == nil {
		return
	}
	w.plan.counted = false // for good
	w.Lineage.remember(nil)
	listed, err := listed(context.WithoutCancel(ctx), w.Dir, w.Path)
	if err != nil {
		w.Log.Warn("the next save writes everything: this one's files cannot be listed", "path", w.Path, "err", err)
		return
	}
	b := &base{dir: w.Dir, path: w.Path, doubts: w.plan.doubts, tensors: make(map[string]known)}
	for i, s := range shards {
		f, ok := w.baseFile(listed, i, s)
		if !ok {
			return // somebody else is at work here
		}
		b.files = append(b.files, f)
		for _, e := range s.Entries {
			key := keyOfEntry(e)
			b.tensors[key] = known{e, w.sumOf(key, i)}
		}
	}
	w.believe(b)
	w.Lineage.remember(b)
}

// sumOf returns the content of what is stored, as it was when it was written.
func (w *Writing) sumOf(key string, shard int) content {
	if shard < w.plan.writes {
		return w.plan.sums[key]
	}
	return w.plan.base.tensors[key].sum
}

// believe hashes what was linked because the program says that it does not change.
func (w *Writing) believe(b *base) {
	for _, t := range w.plan.believed {
		key := keyOf(t)
		k := b.tensors[key]
		if !w.links(t) || w.Lineage.isOf(k.sum, t.Tensor.Bytes()) {
			continue
		}
		w.warnThawed(t.Name)
		k.sum = nil
		b.tensors[key] = k
	}
}

// baseFile is the file shard as the next save may link it.
func (w *Writing) baseFile(listed map[string]storage.Info, shard int, s tensorbundle.Shard) (baseFile, bool) {
	name := tensorbundle.DataName(w.Path, shard, w.plan.writes+len(w.plan.split.links))
	info, ok := listed[name]
	f := baseFile{info: info, crc: s.CRC32C}
	if !ok || info.Size != s.Size {
		return f, false
	}
	if shard < w.plan.writes {
		f.origin, f.uses = path.Base(name), new(atomic.Int64)
		f.uses.Store(1)
	} else {
		from := w.plan.from(shard)
		f.origin, f.uses = from.origin, from.uses
	}
	if !w.Protect {
		return f, true
	}
	beside, ok := listed[parityOf(name)]
	f.parity = &baseParity{beside, w.Parity[shard]}
	return f, ok && beside.Size == w.Parity[shard].Size && path.Base(beside.Name) == w.Parity[shard].Name
}
