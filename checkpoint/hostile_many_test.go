package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// crowds are directories with a great many small files of one kind, beside a
// checkpoint, and what is done with them that could take the square of their
// number.
var crowds = []struct {
	name string
	use  string
	file func(i, n int) (name, text string)
}{
	{"shards of a V1 checkpoint", "List", func(i, _ int) (string, string) { return fmt.Sprintf("v-%05d-of-99999", i), oneV1 }},
	{"indexes", "List", func(i, _ int) (string, string) { return fmt.Sprintf("ckpt-%d.index", i+2), "x" }},
	{"data files", "SaveAs", func(i, _ int) (string, string) { return fmt.Sprintf("ckpt-1.data-%05d-of-99999", i), "x" }},
	{"data files", "Remove", func(i, _ int) (string, string) { return fmt.Sprintf("ckpt-1.data-%05d-of-99999", i), "x" }},
	{"receipts", "a manager", func(i, _ int) (string, string) { return fmt.Sprintf("ckpt-%d.receipt.json", i+2), "{}" }},
	{"leases", "List", func(i, _ int) (string, string) {
		return fmt.Sprintf(".ckpt.leases/ckpt-1@%d.json", i), fmt.Sprintf(`{"schema":1,"path":"ckpt-1","holder":"h%d","expires":"2999-01-01T00:00:00Z"}`, i)
	}},
	{"paths in a state file", "List", crowdedState},
	{"files in a receipt", "Load", crowdedReceipt},
	{"files in a receipt", "Latest", crowdedReceipt},
}

// oneV1 is a small V1 file.
var oneV1 string

func crowdedState(i, n int) (string, string) {
	if i > 0 {
		return fmt.Sprintf("d%d/ckpt-1.index", i), "x"
	}
	var b strings.Builder
	b.WriteString("model_checkpoint_path: \"ckpt-1\"\n")
	for i := range n {
		fmt.Fprintf(&b, "all_model_checkpoint_paths: \"d%d/ckpt-1\"\nall_model_checkpoint_timestamps: %d\n", i, i+1)
	}
	return "checkpoint", b.String()
}

// crowdedReceipt is of an overwrite that was interrupted, so that it is held
// against the files.
func crowdedReceipt(i, n int) (string, string) {
	switch i {
	case 0:
		var b strings.Builder
		b.WriteString(`{"schema":1,"path":"ckpt-1","writer":"manager","files":[{"name":"ckpt-1.index","size":1,"crc32c":"0"}`)
		for i := range n {
			fmt.Fprintf(&b, `,{"name":"ckpt-1.data-%05d-of-%05d","size":1,"crc32c":"0"}`, i, n-2)
		}
		return "ckpt-1.receipt.json", b.String() + "]}"
	case 1:
		return "ckpt-1.recovery.index", "x"
	}
	return fmt.Sprintf("ckpt-1.data-%05d-of-%05d", i-2, n-2), "x"
}

// TestManyTinyFilesTakeTimeInProportion: the watchdog is generous, but not for
// the square.
//
// Proves D24.
func TestManyTinyFilesTakeTimeInProportion(t *testing.T) {
	v1, err := os.ReadFile("../format/tensorslice/testdata/tf/saver_sharded-00000-of-00002")
	if err != nil {
		t.Fatal(err)
	}
	oneV1 = string(v1)
	n := torture.Times(20_000, 99_000) / torture.Thin(4)
	for _, crowd := range crowds {
		dir := mem.Dir()
		c, _ := one(1)
		if _, err := c.Save(t.Context(), dir, "ckpt"); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			name, text := crowd.file(i, n)
			if err := storage.WriteFile(t.Context(), dir, name, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		for _, use := range everyUse {
			if use.name == crowd.use {
				within(t, crowd.name+": "+use.name, func() error { return use.do(t.Context(), dir, "ckpt-1") })
			}
		}
	}
	torture.Count(t, "hostile inputs", len(crowds)*n)
}

var errSlow = errors.New("takes too long")

// within fails the test when do does not come to an end. Its error says nothing.
func within(t *testing.T, what string, do func() error) {
	t.Helper()
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- do() }()
	select {
	case err := <-done: // which may be nil or not
		t.Logf("%s: %v, error %v", what, time.Since(begin).Round(time.Millisecond), err != nil)
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: %v", what, errSlow)
	}
}
