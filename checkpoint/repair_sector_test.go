package checkpoint

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/parity"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// badSectors are places of files that a disk cannot read, until another file
// has the name.
type badSectors struct {
	mu    sync.Mutex
	at    map[string][]int64
	reads int // left until one fails that never does again; negative: none
}

func (b *badSectors) spoil(name string, at ...int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at[faultRoot+"/"+name] = at
}

// arm lets the n-th read from now fail; disarm reports whether it did.
func (b *badSectors) arm(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads = n
}

func (b *badSectors) disarm() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := b.reads <= 0
	b.reads = 0
	return failed
}

func (b *badSectors) before(op vfstest.Op) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if op.Verb == "rename" {
		delete(b.at, op.To)
	}
	if op.Verb == "read" {
		if b.reads--; b.reads == 0 {
			return syscall.EIO
		}
	}
	for _, at := range b.at[op.Path] {
		if op.Verb == "read" && op.At <= at && at < op.At+op.Size {
			return syscall.EIO
		}
	}
	return nil
}

// onBadDisk returns a checkpoint with parity, of n numbers, on a disk that may
// get bad sectors.
func onBadDisk(t *testing.T, n int, o *Options) (storage.Dir, *badSectors) {
	t.Helper()
	disk := vfstest.NewStrict(nil)
	if err := disk.Mkdir("/train", 0o777); err != nil {
		t.Fatal(err)
	}
	bad := &badSectors{at: make(map[string][]int64)}
	dir := local.DirOn(vfstest.Hook(disk, bad.before), faultRoot)
	c := New(nil, Objects{"v": variable(make([]float32, n)...)}, o)
	c.TrackableChildren()[0].Object.(*variableF).Value[n/2] = 5
	if err := c.Write(background(), dir, "ckpt-1"); err != nil {
		t.Fatal(err)
	}
	return dir, bad
}

// TestWhatADiskCannotReadIsMended: each of the files has a sector that is lost,
// one in each stripe.
//
// Proves D23.
func TestWhatADiskCannotReadIsMended(t *testing.T) {
	for _, n := range []int{10, 10 * parity.BlockSize / 4} {
		dir, bad := onBadDisk(t, n, &Options{Parity: true})
		was := contents(t, dir)
		bad.spoil("ckpt-1.index", 3)
		where := []int64{20}
		if n > 10 {
			where = []int64{3*parity.BlockSize + 7, 9 * parity.BlockSize}
		}
		bad.spoil(dataOf("ckpt-1"), where...)
		c := New(nil, Objects{"v": variable(make([]float32, n)...)}, nil)
		if _, err := c.Restore(background(), dir, "ckpt-1"); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "'ckpt doctor DIR --deep --fix'") {
			t.Errorf("Restore() = %v, want EIO and what to do", err)
		}
		dry, err := Repair(background(), dir, "ckpt-1", &RepairOptions{DryRun: true})
		if err != nil || len(dry) != 2 || !dry[0].Fixable || !dry[1].Fixable || dry[0].Done {
			t.Errorf("%d numbers: Repair(DryRun) = %+v, %v, want two that can be mended", n, dry, err)
		}
		list, err := Repair(background(), dir, "ckpt-1", nil)
		if err != nil || len(list) != 2 || !list[0].Done || !list[1].Done || list[0].Bad != int64(len(where)) {
			t.Errorf("%d numbers: Repair() = %+v, %v, want two mended", n, list, err)
		}
		wantContents(t, "after it", dir, was)
	}
}

// TestTooManyBadSectorsAreSaid. Proves D23.
func TestTooManyBadSectorsAreSaid(t *testing.T) {
	const n = 4 * parity.BlockSize / 4
	for why, spoil := range map[string]func(dir storage.Dir, bad *badSectors){
		"2 of 2 bad blocks": func(_ storage.Dir, bad *badSectors) { bad.spoil(dataOf("ckpt-1"), 1, parity.BlockSize+1) },
		"no parity": func(dir storage.Dir, bad *badSectors) {
			remove(t, dir, "ckpt-1.parity-00000-of-00001")
			bad.spoil(dataOf("ckpt-1"), 1)
		},
		"the parity there is bad too": func(_ storage.Dir, bad *badSectors) {
			bad.spoil(dataOf("ckpt-1"), 1)
			bad.spoil("ckpt-1.parity-00000-of-00001", 100)
		},
	} {
		dir, bad := onBadDisk(t, n, &Options{Parity: true})
		spoil(dir, bad)
		names := listing(t, dir)
		list, err := Repair(background(), dir, "ckpt-1", nil)
		if !errors.Is(err, format.ErrCorrupt) || len(list) != 1 || list[0].Done || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: Repair() = %+v, %v, want it beyond repair", why, list, err)
		}
		bad.spoil(dataOf("ckpt-1"))
		bad.spoil("ckpt-1.parity-00000-of-00001")
		wantPaths(t, why, listing(t, dir), names...)
		if err := verifyAll(background(), dir, "ckpt-1"); err != nil {
			t.Errorf("%s: once the disk reads again, verifyAll() = %v, want it whole", why, err)
		}
	}
}

// TestOneReadThatFailsMakesNothingWorse: whichever it is, of a damaged
// checkpoint or a whole one. Proves D23.
func TestOneReadThatFailsMakesNothingWorse(t *testing.T) {
	for _, damaged := range []bool{true, false} {
		dir, bad := onBadDisk(t, 10, &Options{Parity: true})
		was := contents(t, dir)
		for i, failed := 1, true; failed; i++ {
			if damaged {
				flip(t, dir, dataOf("ckpt-1"), 9, 4)
			}
			bad.arm(i)
			list, err := Repair(background(), dir, "ckpt-1", nil)
			failed = bad.disarm()
			if failed && errors.Is(err, format.ErrCorrupt) && !damaged {
				t.Errorf("read %d of a whole one fails: Repair() = %+v, %v, want no damage told", i, list, err)
			}
			if !failed && err != nil {
				t.Errorf("Repair() = %+v, %v after %d reads, want nil", list, err, i)
			}
			if _, err := Repair(background(), dir, "ckpt-1", nil); err != nil {
				t.Errorf("read %d fails: Repair() the next time = %v", i, err)
			}
			wantContents(t, "after a read that failed", dir, was)
		}
	}
}
