package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/storage"
)

// twoGenerations returns two checkpoints that differ in their values alone.
func twoGenerations(t *testing.T) storage.Dir {
	t.Helper()
	return trained(t, []float64{1, 2}, []float64{1, 2})
}

// outcome is what restoring and verifying ckpt-2 came to.
type outcome struct {
	value         float32 // 2, or that of another
	restore       error
	told          bool // the Logger was
	quick, verify error
}

func tryAll(t *testing.T, dir storage.Dir) outcome {
	t.Helper()
	var got outcome
	log, told := logged()
	x := variable(-1)
	_, got.restore = New(nil, Objects{"v": x}, &Options{Logger: log}).Restore(background(), dir, "ckpt-2")
	got.value, got.told = x.Value[0], strings.Contains(told.String(), "the receipt is not believed")
	r, err := Load(background(), dir, "ckpt-2")
	if err != nil {
		got.quick, got.verify = err, err
		return got
	}
	got.quick, got.verify = r.VerifyQuick(background()), r.Verify(background(), nil)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return got
}

// TestMixedGenerationsAreFound puts files of ckpt-1 in place of those of
// ckpt-2. An index has the checksums of its data: one of the two alone cannot
// be restored. Where both were replaced they are a whole checkpoint, the wrong
// one: only the receipt knows, and it is told. Proves D17, D18.
func TestMixedGenerationsAreFound(t *testing.T) {
	for _, c := range []struct {
		swap          []string // of data, index, receipt
		restores      bool     // else it is damaged
		told, quickly bool     // the receipt is not believed; VerifyQuick finds it
	}{
		{swap: []string{".index"}, told: true, quickly: true},
		{swap: []string{".data-00000-of-00001"}},
		{swap: []string{".receipt.json"}, restores: true, told: true, quickly: true},
		{swap: []string{".index", ".receipt.json"}, told: true, quickly: true},
		{swap: []string{".data-00000-of-00001", ".receipt.json"}, told: true, quickly: true},
		{swap: []string{".index", ".data-00000-of-00001"}, restores: true, told: true, quickly: true},
		{swap: []string{".index", ".data-00000-of-00001", ".receipt.json"}, restores: true, told: true, quickly: true},
	} {
		for _, receipt := range []bool{true, false} {
			dir := twoGenerations(t)
			for _, suffix := range c.swap {
				writeFile(t, dir, "ckpt-2"+suffix, readFile(t, dir, "ckpt-1"+suffix))
			}
			if !receipt {
				remove(t, dir, "ckpt-2.receipt.json")
			}
			what := fmt.Sprintf("%v swapped, with receipt: %v", c.swap, receipt)
			got := tryAll(t, dir)
			if damaged := errors.Is(got.restore, format.ErrCorrupt); damaged == c.restores || damaged != (got.value == -1) {
				t.Errorf("%s: Restore() = %v, and the value is %v", what, got.restore, got.value)
			}
			if found := errors.Is(got.verify, format.ErrCorrupt); found != (receipt || !c.restores) {
				t.Errorf("%s: Verify() = %v", what, got.verify)
			}
			if found := errors.Is(got.quick, format.ErrCorrupt); found != (receipt && c.quickly) {
				t.Errorf("%s: VerifyQuick() = %v, want it found: %v", what, got.quick, receipt && c.quickly)
			}
			if got.told != (receipt && c.told) {
				t.Errorf("%s: told of the receipt: %v", what, got.told)
			}
		}
	}
}

// TestAReceiptThatLiesIsFound gives ckpt-2 receipts that are whole, and wrong.
// None of them keeps it from being restored. Proves D18.
func TestAReceiptThatLiesIsFound(t *testing.T) {
	const index, data = 1, 0 // in Receipt.Files
	for _, c := range []struct {
		what          string
		lie           func(r *Receipt)
		told          bool // by a restore: what it reads is bound by the index
		quick, verify error
	}{
		{"size of the index", func(r *Receipt) { r.Files[index].Size++ }, true, format.ErrCorrupt, format.ErrCorrupt},
		{"checksum of the index", func(r *Receipt) { r.Files[index].CRC32C++ }, true, format.ErrCorrupt, format.ErrCorrupt},
		{"no index", func(r *Receipt) { r.Files = r.Files[:1] }, true, format.ErrCorrupt, format.ErrCorrupt},
		{"no files, of a writer of ours", func(r *Receipt) { r.Files = nil }, true, format.ErrCorrupt, format.ErrCorrupt},
		{"another's file", func(r *Receipt) { r.Files[data].Name = "ckpt-1.data-00000-of-00001" }, false, format.ErrCorrupt, format.ErrCorrupt},
		{"a file outside", func(r *Receipt) { r.Files[data].Name = "../x" }, false, format.ErrCorrupt, format.ErrCorrupt},
		{"a file that is not there", func(r *Receipt) { r.Files[data].Name = "ckpt-2.data-00000-of-00002" }, false, fs.ErrNotExist, fs.ErrNotExist},
		{"size of the data", func(r *Receipt) { r.Files[data].Size-- }, false, format.ErrCorrupt, format.ErrCorrupt},
		// All its bytes have checksums in the index, by which they are verified.
		{"checksum of the data", func(r *Receipt) { r.Files[data].CRC32C++ }, false, nil, nil},
		// It is where the checkpoint was when it was written, and it may have been copied since.
		{"path", func(r *Receipt) { r.Path = "other/ckpt-9" }, false, nil, nil},
		// Of these nobody else knows: they are under the receipt's own checksum.
		{"step and metrics", func(r *Receipt) { r.Step, r.Metrics = number64(-7), map[string]float64{"loss": 0} }, false, nil, nil},
	} {
		dir := twoGenerations(t)
		lie(t, dir, "ckpt-2", c.lie)
		got := tryAll(t, dir)
		if got.restore != nil || got.value != 2 || got.told != c.told {
			t.Errorf("%s: Restore() = %v, value %v, told %v, want 2, and told: %v", c.what, got.restore, got.value, got.told, c.told)
		}
		if !errors.Is(got.quick, c.quick) || !errors.Is(got.verify, c.verify) {
			t.Errorf("%s: VerifyQuick() = %v, Verify() = %v, want %v, %v", c.what, got.quick, got.verify, c.quick, c.verify)
		}
		path, passed, err := LatestValid(background(), dir, nil)
		if path != "ckpt-2" || err != nil || len(passed) != 0 {
			t.Errorf("%s: LatestValid() = %q, %v, %v, want ckpt-2", c.what, path, passed, err)
		}
	}
}

// TestEveryDamageOfAReceiptIsFound flips each bit, cuts it everywhere and
// makes it longer. What is pinned stays, and what is restored is the same.
// Proves D18.
func TestEveryDamageOfAReceiptIsFound(t *testing.T) {
	dir := twoGenerations(t)
	if err := Pin(background(), dir, "ckpt-2", "table 2"); err != nil {
		t.Fatal(err)
	}
	const name = "ckpt-2.receipt.json"
	whole := readFile(t, dir, name)
	flips, cuts, tries := 0, 0, 0
	try := func(what, text string) {
		writeFile(t, dir, name, text)
		if r, err := ReadReceipt(background(), dir, "ckpt-2"); !errors.Is(err, format.ErrCorrupt) || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: ReadReceipt() = %+v, %v, want format.ErrCorrupt that names %s", what, r, err, name)
		}
		if held, err := RemoveUnheld(background(), dir, "ckpt-2"); held == "" || err != nil {
			t.Fatalf("%s: RemoveUnheld() = %q, %v, want it to stay", what, held, err)
		}
		if tries++; tries%16 != 0 {
			return
		}
		got := tryAll(t, dir)
		if got.restore != nil || got.value != 2 || !got.told || !errors.Is(got.quick, format.ErrCorrupt) || !errors.Is(got.verify, format.ErrCorrupt) {
			t.Errorf("%s: %+v, want a restore that tells, and both verifications to find it", what, got)
		}
	}
	for i := 0; i < len(whole); i += torture.Thin(17) {
		for _, mask := range []byte{0xff, 1, 2, 4, 8, 16, 32, 64, 128} {
			try(fmt.Sprintf("byte %d flipped by %02x", i, mask), whole[:i]+string([]byte{whole[i] ^ mask})+whole[i+1:])
			flips++
		}
		try(fmt.Sprintf("cut to %d bytes", i), whole[:i])
		cuts++
	}
	for _, more := range []string{"\n", " ", "x", "\x00", whole} {
		try(fmt.Sprintf("longer by %q", more), whole+more)
	}
	torture.Count(t, "bytes flipped", flips)
	torture.Count(t, "truncations", cuts)
}

// TestDamageOfTheStateFileLeadsToAWholeCheckpoint: it has no checksum. Each
// flipped bit and each truncation is found, or what is restored is one of the
// checkpoints that are there, whole, and never nothing. Proves D7, D19, D20.
//
// Proves D19.
func TestDamageOfTheStateFileLeadsToAWholeCheckpoint(t *testing.T) {
	dir := trained(t, []float64{1, 2, 3}, []float64{1, 2, 3})
	whole := readFile(t, dir, "checkpoint")
	values := map[string]float32{"ckpt-1": 1, "ckpt-2": 2, "ckpt-3": 3}
	found, others := 0, 0
	try := func(what, text string) {
		writeFile(t, dir, "checkpoint", text)
		c, v := one(-1)
		m, err := NewManager(background(), c, dir, &ManagerOptions{Now: at(2000).now})
		path := ""
		if err == nil {
			path, err = m.RestoreOrInitialize(background())
			err = errors.Join(err, m.Close(background()))
		}
		switch {
		case err != nil && v.Value[0] == -1:
			found++
		case err != nil || values[path] == 0 || v.Value[0] != values[path]:
			t.Errorf("%s: RestoreOrInitialize() = %q, %v, and the value is %v\n%s", what, path, err, v.Value[0], text)
		case path != "ckpt-3":
			others++
		}
		if latest, err := Latest(background(), dir); err == nil && latest != "" && values[latest] == 0 {
			if is, err := Exists(background(), dir, latest); is || err != nil {
				t.Errorf("%s: Latest() = %q, %v", what, latest, err)
			}
		}
	}
	flips, cuts := 0, 0
	for i := 0; i < len(whole); i += torture.Thin(17) {
		for _, mask := range []byte{0xff, 1, 2, 4, 8, 16, 32, 64, 128} {
			try(fmt.Sprintf("byte %d flipped by %02x", i, mask), whole[:i]+string([]byte{whole[i] ^ mask})+whole[i+1:])
			flips++
		}
		try(fmt.Sprintf("cut to %d bytes", i), whole[:i])
		cuts++
	}
	try("zeros", strings.Repeat("\x00", len(whole)))
	try("twice", whole+whole)
	t.Logf("%d were errors, %d led to an older checkpoint", found, others)
	torture.Count(t, "bytes flipped", flips)
	torture.Count(t, "truncations", cuts)
}
