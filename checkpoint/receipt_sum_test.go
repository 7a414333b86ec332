package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// wantSum returns the receipt of ckpt-1, which must have a checksum.
func wantSum(t *testing.T, dir storage.Dir, after string) Receipt {
	t.Helper()
	r, err := ReadReceipt(background(), dir, "ckpt-1")
	text := readFile(t, dir, "ckpt-1.receipt.json")
	if err != nil || r.Schema < sumSchema || sumDigits([]byte(text)) == nil {
		t.Errorf("after %s: ReadReceipt() = %+v, %v of\n%s\nwant one with a checksum", after, r, err, text)
	}
	return r
}

// summed returns the text of a receipt with the checksum that belongs to it.
func summed(text string) string {
	b := []byte(text)
	copy(sumDigits(b), noSum)
	copy(sumDigits(b), sumOf(b))
	return string(b)
}

func TestWhoeverWritesAReceiptSumsIt(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	wantSum(t, dir, "a save")
	for what, err := range map[string]error{
		"pin":    Pin(background(), dir, "ckpt-1", "x"),
		"tag":    Tag(background(), dir, "ckpt-1", "x"),
		"reject": Reject(background(), dir, "ckpt-1", "x"),
		"unpin":  Unpin(background(), dir, "ckpt-1"),
	} {
		if err != nil {
			t.Fatal(err)
		}
		wantSum(t, dir, what)
	}
	// One of schema 1, without, is read, and has one when it was marked.
	writeFile(t, dir, "ckpt-1.receipt.json", `{"schema": 1, "path": "ckpt-1", "later": [1]}`)
	if r, err := ReadReceipt(background(), dir, "ckpt-1"); err != nil || r.Schema != 1 {
		t.Errorf("ReadReceipt() of schema 1 = %+v, %v", r, err)
	}
	if err := Pin(background(), dir, "ckpt-1", "y"); err != nil {
		t.Fatal(err)
	}
	if r := wantSum(t, dir, "a pin of schema 1"); r.Pinned != "y" || r.unknown["later"] == nil || r.unknown[sumField] != nil {
		t.Errorf("receipt = %+v", r)
	}
}

func TestAReceiptEditedByHandIsDamaged(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	lie(t, dir, "ckpt-1", func(r *Receipt) { r.PID, r.Host = 1, "a" }) // its sum has letters
	whole := readFile(t, dir, "ckpt-1.receipt.json")
	sum := whole[strings.LastIndex(whole, ",\n"):]
	for what, text := range map[string]string{
		"another value":          strings.Replace(whole, `"save_counter": 1`, `"save_counter": 2`, 1),
		"schema 1, with the sum": strings.Replace(whole, `"schema": 2`, `"schema": 1`, 1),
		"another field's name":   strings.Replace(whole, sum, strings.Replace(sum, "crc32c", "crc32d", 1), 1),
		"no sum":                 strings.Replace(whole, sum, "\n}\n", 1),
		"sum not the last":       strings.Replace(strings.Replace(whole, sum, "\n}\n", 1), "{", `{"crc32c": "00000000",`, 1),
		"another sum":            strings.Replace(whole, sum, ",\n  \"crc32c\": \"00000000\"\n}\n", 1),
		"upper case":             strings.Replace(whole, sum, sum[:14]+strings.ToUpper(sum[14:]), 1),
		"a newline more":         whole + "\n",
		"a newline less":         whole[:len(whole)-1],
	} {
		if text == whole {
			t.Fatalf("%s: nothing was changed", what)
		}
		writeFile(t, dir, "ckpt-1.receipt.json", text)
		if _, err := ReadReceipt(background(), dir, "ckpt-1"); !errors.Is(err, format.ErrCorrupt) || !strings.HasPrefix(err.Error(), "ckpt-1.receipt.json: ") {
			t.Errorf("%s: ReadReceipt() = %v, want format.ErrCorrupt that names the file", what, err)
		}
	}
	// What the doc comment says to do after it.
	by := strings.Replace(strings.Replace(whole, sum, "\n}\n", 1), `"schema": 2`, `"schema": 1`, 1)
	writeFile(t, dir, "ckpt-1.receipt.json", by)
	if r, err := ReadReceipt(background(), dir, "ckpt-1"); err != nil || r.SaveCounter != 1 {
		t.Errorf("ReadReceipt() after an edit with care = %+v, %v", r, err)
	}
}

// TestADamagedReceiptStopsNoRestore: neither that of a manager nor
// LatestValid, which agree, and both say so.
// Proves D18.
func TestADamagedReceiptStopsNoRestore(t *testing.T) {
	for what, damage := range map[string]func(t *testing.T, dir storage.Dir){
		"no JSON": func(t *testing.T, dir storage.Dir) { writeFile(t, dir, "ckpt-2.receipt.json", "{") },
		"a bit":   func(t *testing.T, dir storage.Dir) { flipMiddle(t, dir, "ckpt-2.receipt.json") },
		"another's": func(t *testing.T, dir storage.Dir) {
			writeFile(t, dir, "ckpt-2.receipt.json", readFile(t, dir, "ckpt-1.receipt.json"))
		},
		"another's files": func(t *testing.T, dir storage.Dir) {
			lie(t, dir, "ckpt-2", func(r *Receipt) { r.Files[1].CRC32C ^= 1 })
		},
	} {
		dir := trained(t, []float64{1, 2}, []float64{1, 2})
		damage(t, dir)
		log, told := logged()
		if path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Logger: log}); path != "ckpt-2" || err != nil || len(passed) != 0 {
			t.Errorf("%s: LatestValid() = %q, %v, %v, want ckpt-2", what, path, passed, err)
		}
		wantWarning(t, told, "the receipt is not believed")
		log, told = logged()
		c, v := one(0)
		m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Logger: log, Fallback: true})
		if path, err := m.RestoreOrInitialize(background()); path != "ckpt-2" || err != nil || v.Value[0] != 2 {
			t.Errorf("%s: RestoreOrInitialize() = %q, %v, want ckpt-2", what, path, err)
		}
		wantWarning(t, told, "the receipt is not believed")
		// With it gone, only the checksums in index and data are left to tell.
		flipMiddle(t, dir, dataOf("ckpt-2"))
		if path, passed, err := LatestValid(background(), dir, nil); path != "ckpt-1" || err != nil || len(passed) != 1 {
			t.Errorf("%s: LatestValid() over damaged data = %q, %v, %v, want ckpt-1", what, path, passed, err)
		}
	}
}

// lie changes a receipt, which is then whole, and wrong.
func lie(t *testing.T, dir storage.Dir, path string, change func(*Receipt)) {
	t.Helper()
	r := receiptOf(t, dir, path)
	change(&r)
	if err := WriteReceipt(background(), dir, path, r); err != nil {
		t.Fatal(err)
	}
}

// TestWhatADamagedReceiptMayHavePinnedStays: no rule removes it, and nobody
// but people write over what is left of it. Proves D18.
func TestWhatADamagedReceiptMayHavePinnedStays(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 4)
	if err := Pin(background(), dir, "ckpt-1", "table 2"); err != nil {
		t.Fatal(err)
	}
	flipMiddle(t, dir, "ckpt-1.receipt.json")
	damaged := readFile(t, dir, "ckpt-1.receipt.json")
	if held, err := RemoveUnheld(background(), dir, "ckpt-1"); held != "pinned: "+maybePinned || err != nil {
		t.Errorf("RemoveUnheld() = %q, %v, want it to stay", held, err)
	}
	plan, err := PlanPrune(background(), dir, retention.Latest(1), nil)
	if err != nil || len(plan.Removals()) != 2 || plan.Checkpoints[0].Reason != "pinned: "+maybePinned {
		t.Errorf("PlanPrune() = %+v, %v, want ckpt-1 to stay", plan, err)
	}
	for life := range 3 {
		c, _ := one(5)
		log, told := logged()
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(float64(2000 + 100*life)).tick, Logger: log})
		mustSave(t, m, nil)
		mustSave(t, m, nil)
		if life == 0 {
			wantWarning(t, told, "a checkpoint stays because its receipt is damaged")
		}
		if err := m.Close(background()); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, dir, "ckpt-1.receipt.json"); got != damaged || !contains(listing(t, dir), "ckpt-1.index") {
			t.Fatalf("life %d: ckpt-1 has the receipt %q, want it as it was, and its index", life, got)
		}
	}
	if contains(listing(t, dir), "ckpt-2.index") {
		t.Error("ckpt-2 is there, want it removed")
	}
}

// TestAMarkOnADamagedReceiptKeepsWhatMayHaveBeenThere: whoever marks writes
// another, which says that there may have been a pin.
func TestAMarkOnADamagedReceiptKeepsWhatMayHaveBeenThere(t *testing.T) {
	for mark, want := range map[string]string{"tag": maybePinned, "reject": maybePinned, "pin": "x", "unpin": ""} {
		dir := savedBy(t, ManagerOptions{}, 1)
		flipMiddle(t, dir, "ckpt-1.receipt.json")
		err := fmt.Errorf("no such mark: %s", mark)
		switch mark {
		case "tag":
			err = Tag(background(), dir, "ckpt-1", "x")
		case "reject":
			err = Reject(background(), dir, "ckpt-1", "x")
		case "pin":
			err = Pin(background(), dir, "ckpt-1", "x")
		case "unpin":
			err = Unpin(background(), dir, "ckpt-1")
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := wantSum(t, dir, mark); r.Pinned != want || r.Writer != "" || len(r.Files) != 0 {
			t.Errorf("%s: receipt = %+v, want pinned %q and nothing of the damaged one", mark, r, want)
		}
	}
}

// TestACheckpointWithoutReceiptCanBeRemoved: that there is none now is no
// damage.
func TestACheckpointWithoutReceiptCanBeRemoved(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	c, _ := one(5)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(2000).tick})
	flipMiddle(t, dir, "ckpt-2.receipt.json")
	mustSave(t, m, nil)
	if !contains(listing(t, dir), "ckpt-2.index") {
		t.Error("ckpt-2 is gone, want it to stay for its damaged receipt")
	}
	remove(t, dir, "ckpt-2.receipt.json")
	mustSave(t, m, nil)
	if contains(listing(t, dir), "ckpt-2.index") {
		t.Error("ckpt-2 is there, want it removed: it has no receipt any more")
	}
}
