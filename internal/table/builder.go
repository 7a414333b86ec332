package table

import "encoding/binary"

// builder builds the content of one block. (TensorFlow: BlockBuilder)
type builder struct {
	buf      []byte
	restarts []uint32
	since    int // entries since the last restart
	interval int
	last     []byte
}

func newBuilder(interval int) builder {
	return builder{interval: interval, restarts: []uint32{0}}
}

// size returns the length that finish would give.
func (b *builder) size() int { return len(b.buf) + 4*len(b.restarts) + 4 }

func (b *builder) add(key, value []byte) {
	shared := 0
	if b.since == b.interval {
		b.restarts = append(b.restarts, uint32(len(b.buf)))
		b.since = 0
	} else {
		for shared < len(key) && shared < len(b.last) && key[shared] == b.last[shared] {
			shared++
		}
	}
	b.buf = binary.AppendUvarint(b.buf, uint64(shared))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(key)-shared))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(value)))
	b.buf = append(b.buf, key[shared:]...)
	b.buf = append(b.buf, value...)
	b.last = append(b.last[:0], key...)
	b.since++
}

func (b *builder) finish() []byte {
	for _, r := range b.restarts {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, r)
	}
	return binary.LittleEndian.AppendUint32(b.buf, uint32(len(b.restarts)))
}

func (b *builder) reset() {
	b.buf, b.last = b.buf[:0], b.last[:0]
	b.restarts = append(b.restarts[:0], 0)
	b.since = 0
}
