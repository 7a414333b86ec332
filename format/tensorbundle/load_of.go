package tensorbundle

import (
	"errors"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/table"
)

// loadOf is load for the entries of these names, and of their slices. It checks
// of them all that load does.
func (r *Reader) loadOf(size int64, names []string) error {
	// A slice's own key is a name only where no tensor has that slice, which
	// takes the whole index to know.
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "\x00") }) {
		return r.load(size)
	}
	header, ok, err := r.table.Get(nil)
	if err != nil {
		return err
	}
	if !ok {
		return corruptIndex("", table.Handle{}, errors.New("no bundle header"))
	}
	if err := r.loadHeader(header); err != nil {
		return err
	}
	l := &loading{Reader: r}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) { // each block once
		switch err := l.lookUp(name); {
		case err != nil:
			return err
		case l.many:
			return r.load(size)
		}
	}
	return l.done()
}

// fewSlices is how many are looked up one by one. Each takes a walk through a
// block, and a small file may claim a million of them.
const fewSlices = 16

// lookUp finds the entry of a name, if there is one, and those of its slices.
func (l *loading) lookUp(name string) error {
	of := len(l.waiting)
	if name == "" { // the header's
		return nil
	}
	if err := l.get([]byte(name)); err != nil || len(l.waiting) == of {
		return err
	}
	if l.many = len(l.waiting[of].list) > fewSlices; l.many {
		return nil
	}
	for _, s := range l.waiting[of].list {
		if err := l.get([]byte(orderedcode.SliceKey(name, s.Start, s.Length))); err != nil {
			return err
		}
	}
	return nil
}

func (l *loading) get(key []byte) error {
	e, ok, err := l.table.Get(key)
	if err != nil || !ok {
		return err
	}
	return l.entry(e)
}
