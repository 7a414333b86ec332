package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
)

// Entry is a key and its value. Key is valid until the next step of the
// iteration it comes from; Value stays, and keeps its block in memory.
type Entry struct {
	Key, Value []byte
	Block      Handle // where it stands
}

// Block is a block as read and verified.
type Block struct {
	Handle
	Type    byte   // Raw or Snappy
	CRC32C  uint32 // unmasked
	part    string
	content []byte // uncompressed, restarts included
}

// Len returns the length of the block's uncompressed content.
func (b Block) Len() int { return len(b.content) }

var (
	errContents = errors.New("bad block contents")
	errEntry    = errors.New("bad entry in block")
	errOrder    = errors.New("bad entry in block: keys out of order")
	errKeys     = errors.New("bad entry in block: keys share more than restarts allow")
)

// Entries returns the block's entries, in order. After an error, which is a
// *format.CorruptError, there are no more.
func (b Block) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s, err := newScanner(b.content)
		for err == nil && len(s.rest) > 0 {
			if err = s.next(); err == nil && !yield(Entry{s.key, s.value, b.Handle}, nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, corrupt(b.part, b.Handle, err))
		}
	}
}

// scanner goes through the entries of a block. It needs no restarts: TensorFlow
// uses them only to search, and searching a block starts at its front here.
type scanner struct {
	rest       []byte // entries not yet seen
	key, value []byte
	first      bool
	budget     int64 // bytes of keys still allowed
}

func newScanner(content []byte) (scanner, error) {
	n := len(content) - 4
	if n < 0 {
		return scanner{}, errContents
	}
	restarts := binary.LittleEndian.Uint32(content[n:])
	if uint64(restarts)*4 > uint64(n) {
		return scanner{}, errContents
	}
	return scanner{
		rest:  content[:n-4*int(restarts)],
		first: true,
		// With a whole key at every 16th entry, keys take at most 16 times the
		// bytes they are stored in. A small file that claims more would fill
		// the memory of a reader that keeps them.
		budget: restartInterval * int64(len(content)),
	}, nil
}

// next moves to the next entry. The rest must not be empty.
func (s *scanner) next() error {
	shared, ok1 := s.varint()
	unshared, ok2 := s.varint()
	length, ok3 := s.varint()
	n := uint64(len(s.rest))
	if !ok1 || !ok2 || !ok3 || shared > uint64(len(s.key)) || unshared > n || length > n-unshared {
		return errEntry
	}
	suffix := s.rest[:unshared]
	if !s.first && bytes.Compare(suffix, s.key[shared:]) <= 0 {
		return errOrder
	}
	s.key = append(s.key[:shared], suffix...)
	s.value = s.rest[unshared : unshared+length : unshared+length]
	s.rest = s.rest[unshared+length:]
	s.first = false
	if s.budget -= int64(len(s.key)); s.budget < 0 {
		return errKeys
	}
	return nil
}

// varint takes a varint32 off the front of the rest.
func (s *scanner) varint() (uint64, bool) {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 || v > 0xffffffff {
		return 0, false
	}
	s.rest = s.rest[n:]
	return v, true
}
