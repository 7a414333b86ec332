package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestRemoveUnheldLeavesWhatIsPinnedOrLeased(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	for _, name := range []string{"a", "b", "c"} {
		if err := c.SaveAs(background(), dir, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := Pin(background(), dir, "a", "for the paper"); err != nil {
		t.Fatal(err)
	}
	lease, err := TakeLease(background(), dir, "b", &LeaseOptions{Holder: "the evaluator"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "pinned: for the paper", "b": "leased by the evaluator", "c": "", "none": ""} {
		if held, err := RemoveUnheld(background(), dir, name); held != want || err != nil {
			t.Errorf("RemoveUnheld(%s) = %q, %v, want %q", name, held, err, want)
		}
	}
	wantPaths(t, "on disk", onDisk(t, dir), "a", "b")
	if err := lease.Release(background()); err != nil {
		t.Fatal(err)
	}
	if held, err := RemoveUnheld(background(), dir, "b"); held != "" || err != nil {
		t.Errorf("RemoveUnheld after the release = %q, %v", held, err)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "a")
}
