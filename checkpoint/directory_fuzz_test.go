package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// FuzzDirectory makes every use of a directory whose files are anything: a
// state file, a receipt, a lease, an index and a data file.
func FuzzDirectory(f *testing.F) {
	dir := mem.Dir()
	c, _ := one(1)
	if _, err := c.Save(f.Context(), dir, "ckpt"); err != nil {
		f.Fatal(err)
	}
	names := []string{"checkpoint", "ckpt-1.receipt.json", ".ckpt.leases/ckpt-1@A.json", "ckpt-1.index", "ckpt-1.data-00000-of-00001"}
	var seed [5][]byte
	for i, name := range names {
		if i == 2 {
			seed[i] = []byte(`{"schema":1,"path":"ckpt-1","holder":"h","expires":"2999-01-01T00:00:00Z","ttl_seconds":300}`)
			continue
		}
		text, err := storage.ReadFile(f.Context(), dir, name)
		if err != nil {
			f.Fatal(err)
		}
		seed[i] = text
	}
	f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], uint8(0))
	for i, text := range hostileStates() {
		if len(text) < 1000 {
			f.Add([]byte(text), seed[1], seed[2], seed[3], seed[4], uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, state, receipt, lease, index, data []byte, use uint8) {
		dir := mem.Dir()
		for i, text := range [][]byte{state, receipt, lease, index, data} {
			if err := storage.WriteFile(t.Context(), dir, names[i], text); err != nil {
				t.Fatal(err)
			}
		}
		u := everyUse[int(use)%len(everyUse)]
		// An error is as good as none; a panic is not.
		if err := u.do(t.Context(), dir, "ckpt-1"); err != nil && err.Error() == "" {
			t.Errorf("%s: an error without a text", u.name)
		}
	})
}
