package parity

import (
	"bytes"
	"testing"
)

// FuzzRepair gives the decoder parity files that nobody wrote. Data that comes
// out as whole is what the footer says, and good data is never changed.
func FuzzRepair(f *testing.F) {
	for _, size := range []int{0, 1, 100, 128, 300} {
		data := pattern(size)
		f.Add(data, parityOf(f, data, 16, 300))
	}
	f.Add(pattern(3), []byte("ckpt-par"))
	f.Fuzz(func(t *testing.T, data, parity []byte) {
		for _, want := range []*Want{nil, {int64(len(data)), sum(data)}} {
			var out bytes.Buffer
			r, err := Repair(file(data), file(parity), want, &out)
			if int64(out.Len()) > r.Size {
				t.Fatalf("Repair() wrote %d bytes of %d", out.Len(), r.Size)
			}
			if err != nil {
				continue
			}
			if r.Whole() != (r.Lost == 0 && sum(out.Bytes()) == r.CRC32C) {
				t.Fatalf("Repair() = %+v of %q", r, out.Bytes())
			}
			if want != nil && r.Whole() && !bytes.Equal(out.Bytes(), data) {
				t.Fatalf("Repair() changed good data")
			}
		}
	})
}
