package parity

import "github.com/ckpt-dev/ckpt/internal/crc32c"

// stripe reads a stripe and makes its bad blocks again. It is good until the
// next.
func (r *repairer) stripe(number int64) (*stripe, error) {
	start := number * DataBlocks * r.block
	s := &stripe{r: r, start: start, length: min(DataBlocks*r.block, r.report.Size-start)}
	s.makeShards()
	if err := s.read(); err != nil {
		return nil, err
	}
	at := headerSize + number*(stripeHead+r.block)
	n, err := readFull(r.parity, r.head[:], at)
	if err != nil {
		return nil, err
	}
	s.checked = n == stripeHead && little.Uint32(r.head[sumsSize:]) == stripeSum(number, r.head[:sumsSize])
	s.bad = s.findBad()
	if s.checked && len(s.bad) > 0 && len(s.bad) <= ParityBlocks {
		if err := s.reconstruct(at + stripeHead); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// stripe is one that is being repaired.
type stripe struct {
	r             *repairer
	start, length int64    // of its data
	shards        [][]byte // all of one length: what is past the end is zero
	missing       [DataBlocks]bool
	checked       bool  // its checksums are known
	bad           []int // blocks that were not what they should be
}

func (s *stripe) makeShards() {
	const n = DataBlocks + ParityBlocks
	longest := min(s.r.block, s.length)
	if s.r.buffer == nil {
		s.r.buffer = make([]byte, n*longest) // the first stripe is as long as any
	}
	clear(s.r.buffer)
	s.shards = make([][]byte, n)
	for i := range s.shards {
		s.shards[i] = s.r.buffer[int64(i)*longest:][:longest:longest]
	}
}

// data returns the bytes of a block, which are none past the end.
func (s *stripe) data(i int) []byte {
	return s.shards[i][:max(0, min(s.r.block, s.length-int64(i)*s.r.block))]
}

func (s *stripe) read() error {
	for i := range DataBlocks {
		b := s.data(i)
		n, err := readFull(s.r.data, b, s.start+int64(i)*s.r.block)
		if err != nil {
			return err
		}
		s.missing[i] = n < len(b)
	}
	return nil
}

func (s *stripe) isGood(i int, b []byte) bool {
	return crc32c.Update(0, b) == little.Uint32(s.r.head[4*i:])
}

// findBad returns the blocks that are known not to be what they were.
func (s *stripe) findBad() []int {
	var bad []int
	for i := range DataBlocks {
		b := s.data(i)
		if len(b) > 0 && (s.missing[i] || s.checked && !s.isGood(i, b)) {
			bad = append(bad, i)
		}
	}
	return bad
}

// reconstruct makes bad blocks again. Only what then has its checksum counts.
func (s *stripe) reconstruct(at int64) error {
	parity := s.shards[DataBlocks]
	n, err := readFull(s.r.parity, parity, at)
	if err != nil || n < len(parity) || !s.isGood(DataBlocks, parity) {
		return err
	}
	made := append([][]byte(nil), s.shards...)
	for _, i := range s.bad {
		made[i] = nil
	}
	if err := s.r.code.ReconstructData(made); err != nil {
		return err
	}
	for _, i := range s.bad {
		if length := len(s.data(i)); s.isGood(i, made[i][:length]) {
			s.shards[i], s.missing[i] = made[i], false
		}
	}
	return nil
}

// count enters the bad blocks in the report.
func (s *stripe) count() {
	report := &s.r.report
	if !s.checked {
		report.Unchecked += (s.length + s.r.block - 1) / s.r.block
	}
	for _, i := range s.bad {
		b := s.data(i)
		lost := s.missing[i] || !s.checked || !s.isGood(i, b)
		if lost {
			report.Lost++
		} else {
			report.Repaired++
		}
		if len(report.Bad) < maxBad {
			report.Bad = append(report.Bad, Block{s.start + int64(i)*s.r.block, int64(len(b)), lost})
		}
	}
}

func (s *stripe) write() error {
	for i := range DataBlocks {
		b := s.data(i)
		if _, err := s.r.out.Write(b); err != nil {
			return err
		}
		s.r.report.Result = crc32c.Update(s.r.report.Result, b)
	}
	return nil
}
