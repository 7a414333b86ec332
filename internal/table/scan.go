package table

import (
	"bytes"
	"errors"
	"iter"
	"sync"
)

var errSeparator = errors.New("bad entry in block: key does not belong between the index block's keys")

// All returns the entries in order of their keys, reading block after block.
// After an error there are no more.
func (t *Reader) All() iter.Seq2[Entry, error] { return t.From(nil) }

// From returns the entries from key on. (TensorFlow: Iterator::Seek)
func (t *Reader) From(key []byte) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for i := t.find(key); i < len(t.blocks); i++ {
			b, err := t.Block(t.blocks[i].handle)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for e, err := range t.checked(i, b) {
				if err == nil && bytes.Compare(e.Key, key) < 0 {
					continue
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// checked returns the entries of b, the data block i, and holds their keys
// against the index: a key outside its block's range could not be found by
// searching.
func (t *Reader) checked(i int, b Block) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range b.Entries() {
			if err == nil && !t.belongs(i, e.Key) {
				e, err = Entry{}, corrupt(t.part, b.Handle, errSeparator)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (t *Reader) belongs(i int, key []byte) bool {
	return bytes.Compare(key, t.blocks[i].last) <= 0 && (i == 0 || bytes.Compare(key, t.blocks[i-1].last) > 0)
}

// Get returns the entry of key; false if there is none.
func (t *Reader) Get(key []byte) (e Entry, ok bool, err error) {
	i := t.find(key)
	if i == len(t.blocks) {
		return Entry{}, false, nil
	}
	b, err := t.cache.block(t, i)
	if err != nil {
		return Entry{}, false, err
	}
	for e, err := range t.checked(i, b) {
		if err != nil {
			return Entry{}, false, err
		}
		if c := bytes.Compare(e.Key, key); c >= 0 {
			return e, c == 0, nil
		}
	}
	return Entry{}, false, nil
}

// cache keeps the data block that Get read last: getting keys in order then
// reads each block once.
type cache struct {
	mu    sync.Mutex
	i     int
	valid bool
	last  Block
}

func (c *cache) block(t *Reader, i int) (Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.valid && c.i == i {
		return c.last, nil
	}
	b, err := t.Block(t.blocks[i].handle)
	if err != nil {
		return Block{}, err
	}
	c.i, c.last, c.valid = i, b, true
	return b, nil
}
