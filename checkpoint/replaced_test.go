package checkpoint

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestWhoReadsWhatIsOverwrittenGetsItWholeOrLearnsIt opens a checkpoint before
// it is saved again, and reads it after one of the save's operations.
//
// Proves D28.
func TestWhoReadsWhatIsOverwrittenGetsItWholeOrLearnsIt(t *testing.T) {
	whole, gone := 0, 0
	for at := 1; ; at++ {
		dir := local.Dir(t.TempDir())
		c, set := wide()
		must(t, c.Write(background(), dir, "ckpt-7"))
		r := load(t, dir, "ckpt-7")
		operations := 0
		traced := storage.WithTrace(dir, func(string) {
			if operations++; operations != at {
				return
			}
			switch got, err := sameValue(r); {
			case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, format.ErrCorrupt):
				gone++
			case err != nil || got != 0:
				t.Errorf("after operation %d: read %v, %v, want 0 or fs.ErrNotExist", at, got, err)
			default:
				whole++
			}
		})
		set(1)
		must(t, c.Write(background(), traced, "ckpt-7"))
		if operations < at {
			break
		}
	}
	if whole == 0 || gone == 0 {
		t.Errorf("%d read it, %d learned that it is gone, want some of each", whole, gone)
	}
}

func TestDamageIsDamageWhereNothingWasReplaced(t *testing.T) {
	dir := mem.Dir()
	c, set := wide()
	must(t, c.Write(background(), dir, "ckpt-7"))
	set(1)
	must(t, c.Write(background(), dir, "other"))
	data, err := storage.ReadFile(background(), dir, "other.data-00000-of-00001")
	must(t, err)
	must(t, storage.WriteFile(background(), dir, "ckpt-7.data-00000-of-00001", data))
	if _, err := sameValue(load(t, dir, "ckpt-7")); !errors.Is(err, format.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data of another checkpoint: %v, want damage", err)
	}
}
