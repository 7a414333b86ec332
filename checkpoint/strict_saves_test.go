package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// TestPowerCutsInSaves proves what a save and a sweep promise.
func TestPowerCutsInSaves(t *testing.T) {
	for name, run := range map[string]func(p *power){
		"the first save": func(p *power) {
			p.record()
			p.open()
			p.save("ckpt-1", 1, nil)
			p.close()
		},
		"later saves with sweeps": func(p *power) {
			p.o.MaxToKeep = 2
			p.open()
			p.save("ckpt-1", 1, nil)
			p.save("ckpt-2", 2, nil)
			p.record()
			p.save("ckpt-3", 3, nil)
			p.save("ckpt-4", 4, nil)
			p.close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(nil))
			run(p)
			p.cutEverywhere(0)
		})
	}
}
