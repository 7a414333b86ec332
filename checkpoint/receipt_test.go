package checkpoint

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestReceiptText(t *testing.T) {
	r := Receipt{
		Schema: 2, Path: "ckpt-7", SaveCounter: 7, Step: number64(700),
		Time: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC), Duration: 1500 * time.Microsecond,
		Files: []ReceiptFile{{"ckpt-7.data-00000-of-00001", 1 << 40, 0xabc, "ckpt-3.data-00001-of-00002"}, {Name: "ckpt-7.index", Size: 163, CRC32C: 0x5450aa43}},
		Metrics: map[string]float64{"loss": 0.1, "accuracy": 1, "nan": math.NaN(), "up": math.Inf(1), "down": math.Inf(-1),
			"tiny": 5e-324, "huge": math.MaxFloat64, `odd "name"`: 0},
		Host: "trainer-1", PID: 42, Writer: WriterManager, Kept: "kept every 1h: the first one",
		Epoch: number64(3), Pinned: "paper, table 2", Rejected: "loss is 0.9, receipt says 0.1", Tags: []string{"best", "v1"},
		Run: "lr-0.1", RestoredFrom: "lr-0.2/ckpt-5", Commit: "0123abcd", Dirty: true,
	}
	text, err := r.text()
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "receipt.json", text)
	back, err := parseReceipt("receipt.json", text)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(back.Metrics["nan"]) {
		t.Errorf("NaN came back as %v", back.Metrics["nan"])
	}
	delete(back.Metrics, "nan")
	delete(r.Metrics, "nan")
	if !reflect.DeepEqual(back, r) {
		t.Errorf("came back as %+v, want %+v", back, r)
	}
}

func TestUnknownFieldsOfAReceiptSurvive(t *testing.T) {
	const text = `{"schema": 2, "path": "a", "tape": {"k": [1, 2.50, "x"]}, "tags": ["b"], "Path": "a"}`
	var r Receipt
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	r.Kept = "because"
	again, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(again, &fields); err != nil {
		t.Fatalf("%v in\n%s", err, again)
	}
	if fields["kept"] != "because" || fields["tags"] == nil || fields["schema"] != 2.0 {
		t.Errorf("rewritten as %s", again)
	}
	if !strings.Contains(string(again), "2.50") {
		t.Errorf("a number was rewritten: %s", again)
	}
}

func TestHostileReceiptsAreErrors(t *testing.T) {
	for _, text := range []string{
		"", "[]", "null", "7", "{", `{}`, `{"schema": 0}`, `{"schema": -1}`, `{"schema": "1"}`, `{"schema": 1.5}`,
		`{"schema": 1, "time": "yesterday"}`, `{"schema": 1, "time": 7}`, `{"schema": 1, "files": {}}`,
		`{"schema": 1, "files": [{"name": "a", "size": -1}]}`, `{"schema": 1, "files": [{"size": 1e30}]}`,
		`{"schema": 1, "files": [{"crc32c": "xyz"}]}`, `{"schema": 1, "files": [{"crc32c": "123456789"}]}`,
		`{"schema": 1, "metrics": {"a": "0.5"}}`, `{"schema": 1, "metrics": {"a": "much"}}`, `{"schema": 1, "metrics": []}`,
		`{"schema": 1, "metrics": {"a": 1e999}}`,
	} {
		dir := mem.Dir()
		writeFile(t, dir, "a.receipt.json", text)
		if r, err := ReadReceipt(background(), dir, "a"); err == nil || !errors.Is(err, format.ErrCorrupt) ||
			!strings.HasPrefix(err.Error(), "a.receipt.json: not a receipt: ") || strings.Contains(err.Error(), "receiptJSON") {
			t.Errorf("ReadReceipt(%s) = %+v, %v, want an error that says so", text, r, err)
		}
	}
	if _, err := ReadReceipt(background(), mem.Dir(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadReceipt() of a missing one = %v, want fs.ErrNotExist", err)
	}
}

func TestLargeReceiptIsNotRead(t *testing.T) {
	dir := mem.Dir()
	writeFile(t, dir, "a.receipt.json", strings.Repeat(" ", maxReceipt+1))
	if _, err := ReadReceipt(background(), dir, "a"); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("ReadReceipt() = %v, want an error about its size", err)
	}
}

func TestSaveOptionsGoIntoTheReceipt(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	step := int64(5)
	m := newManager(t, c, dir, &ManagerOptions{Now: now.tick, StepCounter: func() int64 { return step }})
	mustSave(t, m, nil)
	mustSave(t, m, &SaveOptions{Step: number64(77), Metrics: map[string]float64{"loss": math.NaN()}})
	for path, want := range map[string]int64{"ckpt-1": 5, "ckpt-2": 77} {
		r, err := ReadReceipt(background(), dir, path)
		if err != nil || r.Step == nil || *r.Step != want {
			t.Errorf("step of %s = %v, %v, want %d", path, r.Step, err, want)
		}
		if r.Writer != WriterManager || r.Path != path || r.PID == 0 || r.Time.IsZero() || r.Duration != time.Second {
			t.Errorf("receipt of %s = %+v", path, r)
		}
	}
	r, err := ReadReceipt(background(), dir, "ckpt-2")
	if err != nil || !math.IsNaN(r.Metrics["loss"]) || r.SaveCounter != 2 {
		t.Errorf("receipt of ckpt-2 = %+v, %v", r, err)
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add([]byte(`{"schema":1,"path":"ckpt-1","time":"2026-01-02T03:04:05Z","duration_ms":1.5,"metrics":{"a":"NaN"},"x":[1]}`))
	f.Add([]byte(`{"schema":1,"files":[{"name":"a","size":1,"crc32c":"0000abcd"}],"STEP":3}`))
	f.Add([]byte("{\n  \"schema\": 2,\n  \"crc32c\": \"00000000\"\n}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Receipt
		if json.Unmarshal(text, &r) != nil {
			return
		}
		if _, err := parseReceipt("x", text); err != nil && !errors.Is(err, format.ErrCorrupt) {
			t.Fatalf("parseReceipt() = %v, want nil or format.ErrCorrupt", err)
		}
		once, err := r.text()
		if err != nil {
			return // a time in a year that RFC 3339 cannot write
		}
		again, err := parseReceipt("x", once)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, once)
		}
		twice, err := again.text()
		if err != nil || string(twice) != string(once) {
			t.Fatalf("rewritten as\n%s\n%v, was\n%s", twice, err, once)
		}
	})
}
