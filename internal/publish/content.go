package publish

import "hash/maphash"

// content tells the bytes of a tensor from others: a hash of 128 bits for each
// piece of them. Its seeds are random, so that nobody can make two tensors of one
// content beforehand, and it never leaves the process. A checksum of 32 bits is
// not enough: what it takes for the same is not written.
type content []digest

type digest [2]uint64

// hashPiece is how much is hashed at a time: few enough bytes for the second
// hash to find them in the processor's cache. Assembly is not preempted.
const hashPiece = 256 << 10

// digest hashes one piece.
func (l *Lineage) digest(piece []byte) digest {
	return digest{maphash.Bytes(l.seeds[0], piece), maphash.Bytes(l.seeds[1], piece)}
}

// content hashes all of b.
func (l *Lineage) content(b []byte) content {
	c := make(content, 0, len(b)/hashPiece+1)
	for len(b) > 0 {
		n := min(len(b), hashPiece)
		c = append(c, l.digest(b[:n]))
		b = b[n:]
	}
	return c
}

// isOf reports whether c is the content of b. Of what has changed, as all of a
// tensor does in training, it reads only the beginning.
func (l *Lineage) isOf(c content, b []byte) bool {
	if len(c) == 0 {
		return false // never of nothing: what is unknown is not the same
	}
	for _, d := range c {
		n := min(len(b), hashPiece)
		if n == 0 || l.digest(b[:n]) != d {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}
