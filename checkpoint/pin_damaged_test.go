package checkpoint

import (
	"context"
	"regexp"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

var keptReceipt = regexp.MustCompile(`^ckpt-2\.receipt\.json\.old-[0-9a-f]{8}$`)

// TestAMarkKeepsADamagedReceiptBeside: a pin, a tag or a rejection needs a
// receipt that can be read; what the damaged one said is still there for people.
// Proves D18.
func TestAMarkKeepsADamagedReceiptBeside(t *testing.T) {
	for verb, mark := range map[string]func(ctx context.Context, dir storage.Dir) error{
		"pin":    func(ctx context.Context, dir storage.Dir) error { return Pin(ctx, dir, "ckpt-2", "table 2") },
		"unpin":  func(ctx context.Context, dir storage.Dir) error { return Unpin(ctx, dir, "ckpt-2") },
		"tag":    func(ctx context.Context, dir storage.Dir) error { return Tag(ctx, dir, "ckpt-2", "golden") },
		"reject": func(ctx context.Context, dir storage.Dir) error { return Reject(ctx, dir, "ckpt-2", "diverged") },
	} {
		for _, dir := range []storage.Dir{savedBy(t, ManagerOptions{}, 2), local.Dir(t.TempDir())} {
			c, _ := one(1)
			if len(listing(t, dir)) == 0 {
				must(t, c.Write(background(), dir, "ckpt-2"))
			}
			flip(t, dir, "ckpt-2.receipt.json", 40, 2)
			was := readFile(t, dir, "ckpt-2.receipt.json")
			for range 2 { // the second time there is nothing to keep
				if err := mark(background(), dir); err != nil {
					t.Fatalf("%s = %v", verb, err)
				}
			}
			if _, err := ReadReceipt(background(), dir, "ckpt-2"); err != nil {
				t.Errorf("ReadReceipt() after %s = %v, want a whole one", verb, err)
			}
			kept := 0
			for _, name := range listing(t, dir) {
				if keptReceipt.MatchString(name) && readFile(t, dir, name) == was {
					kept++
				}
			}
			if kept != 1 {
				t.Errorf("%s: the damaged receipt is kept %d times in %v, want once", verb, kept, listing(t, dir))
			}
		}
	}
}

// TestAMarkThatChangesNothingKeepsNothing: the damaged receipt stays as it is.
func TestAMarkThatChangesNothingKeepsNothing(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	flip(t, dir, "ckpt-2.receipt.json", 40, 2)
	was := contents(t, dir)
	must(t, Untag(background(), dir, "ckpt-2", "none"))
	must(t, Reject(background(), dir, "ckpt-2", ""))
	wantContents(t, "marks that are not there taken away", dir, was)
}
