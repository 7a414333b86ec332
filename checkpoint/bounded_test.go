package checkpoint

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

const (
	bigTensors  = 8
	bigElements = 1 << 20 // of 4 bytes
)

// big returns a Checkpoint of 32 MiB that may hold 64 KiB while it is restored.
func big(v float32) (*Checkpoint, []*variableF) {
	objects, vars := make(Objects), make([]*variableF, bigTensors)
	for i := range vars {
		vars[i] = trackable.NewVariable("v", []int64{bigElements}, make([]float32, bigElements))
		for j := range vars[i].Value {
			vars[i].Value[j] = v
		}
		objects[fmt.Sprint("v", i)] = vars[i]
	}
	return New(nil, objects, &Options{StageLimit: 64 << 10}), vars
}

func savedBig(t *testing.T) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	c, _ := big(7)
	if err := c.Write(background(), dir, "big"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRestoreBeyondTheStageLimitHoldsLittle: a piece of 2 MiB for each of those
// that read, whatever the tensors have.
func TestRestoreBeyondTheStageLimitHoldsLittle(t *testing.T) {
	dir := savedBig(t)
	c, vars := big(1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Read(background(), dir, "big"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 18<<20 {
		t.Errorf("Read of %d tensors of %d bytes allocates %d bytes, want 16 MiB and a little", bigTensors, bigElements*4, got)
	}
	for i, v := range vars {
		if v.Value[0] != 7 || v.Value[bigElements-1] != 7 {
			t.Errorf("v%d is not restored", i)
		}
	}
}

func TestFlippedByteBeyondTheStageLimitChangesNothing(t *testing.T) {
	const name = "big.data-00000-of-00001"
	for _, at := range []int{0, bigElements*4*bigTensors - 1} {
		dir := savedBig(t)
		flip(t, dir, name, at, 3)
		c, vars := big(1)
		if _, err := c.Read(background(), dir, "big"); err == nil {
			t.Fatalf("byte %d flipped: Read() = nil, want an error", at)
		}
		for i, v := range vars {
			for _, x := range v.Value {
				if x != 1 {
					t.Fatalf("byte %d flipped: v%d was changed to %v", at, i, x)
				}
			}
		}
	}
}
