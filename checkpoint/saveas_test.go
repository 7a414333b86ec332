package checkpoint

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestSaveAsTellsTheReceiptAndTheStateFile(t *testing.T) {
	dir := mem.Dir()
	c, x := one(1)
	o := &SaveAsOptions{Step: number64(40), Epoch: number64(4), Metrics: map[string]float64{"loss": .5}, Tags: []string{"best"}}
	for _, name := range []string{"run/cp-04", "run/cp-05"} {
		if err := c.SaveAs(background(), dir, name, o); err != nil {
			t.Fatal(err)
		}
	}
	want := "model_checkpoint_path: \"cp-05\"\nall_model_checkpoint_paths: \"cp-05\"\n"
	if got := readFile(t, dir, "run/checkpoint"); got != want {
		t.Errorf("state file = %q, want %q", got, want)
	}
	r, err := ReadReceipt(background(), dir, "run/cp-05")
	if err != nil {
		t.Fatal(err)
	}
	if *r.Step != 40 || *r.Epoch != 4 || r.Metrics["loss"] != .5 || !slices.Equal(r.Tags, []string{"best"}) || r.Writer != WriterSave {
		t.Errorf("receipt = %+v, want step 40, epoch 4, loss 0.5, tag best, writer %q", r, WriterSave)
	}
	x.Value[0] = 7
	if _, err := c.Read(background(), dir, "run/cp-04"); err != nil || x.Value[0] != 1 || c.SaveCounter() != 0 {
		t.Errorf("Read = %v, value %v, counter %d, want 1 and 0", err, x.Value[0], c.SaveCounter())
	}
}

func TestSaveAsLeavesAManagersListAlone(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2})
	mustSave(t, m, nil)
	if err := c.SaveAs(background(), dir, "best", nil); err != nil {
		t.Fatal(err)
	}
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "best", "ckpt-2", "ckpt-3")
	if err := c.SaveAs(background(), dir, "checkpoint", nil); err == nil {
		t.Error("SaveAs under the state file's name = nil, want an error")
	}
}

func TestRemoveTakesAllFilesOfACheckpointAndNoOther(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	for _, name := range []string{"a", "a.b", "ab"} {
		if err := c.Write(background(), dir, name); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, dir, "a.notes", "mine")
	for range 2 { // what is gone is gone
		if err := Remove(background(), dir, "a", "none"); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"a.b.data-00000-of-00001", "a.b.index", "a.b.receipt.json", "a.notes",
		"ab.data-00000-of-00001", "ab.index", "ab.receipt.json"}
	if got := listing(t, dir); !slices.Equal(got, want) {
		t.Errorf("left = %v, want %v", got, want)
	}
	if _, err := c.Read(background(), dir, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read(a) = %v, want fs.ErrNotExist", err)
	}
}
