package checkpoint

import (
	"errors"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/tfexact"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// exactly returns a Checkpoint in tfexact's mode. What the mode does is held
// against TensorFlow in interop; this says that it is on.
func exactly() *Checkpoint {
	return New(nil, Objects{"v": variable(1)}, &Options{Exactly: tfexact.On()})
}

func TestExactModeLosesWhatTensorFlowLoses(t *testing.T) {
	dir, now := savedBy(t, ManagerOptions{}, 3), at(2000)
	o := &ManagerOptions{CheckpointName: "other", MaxToKeep: 2, Now: now.tick}
	c := exactly()
	m := newManager(t, c, dir, o)
	wantPaths(t, "Checkpoints() of another name", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3")
	// A number that was not restored begins anew.
	if got := mustSave(t, m, nil); got != "other-1" {
		t.Errorf("Save() = %q, want other-1", got)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-3", "other-1")
	if got, err := exactly().Save(background(), dir, "other"); got != "other-1" || err != nil {
		t.Errorf("Checkpoint.Save() = %q, %v, want other-1 once more", got, err)
	}
	wantPaths(t, "Checkpoints() after that", newManager(t, c, dir, o).Checkpoints())
}

func TestExactModeRefusesAnEmptyStateFile(t *testing.T) {
	dir := mem.Dir()
	writeFile(t, dir, filename.State, "")
	if _, err := NewManager(background(), exactly(), dir, nil); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("NewManager() = %v, want format.ErrCorrupt", err)
	}
	writeFile(t, dir, filename.State, "garbage")
	wantPaths(t, "Checkpoints()", newManager(t, exactly(), dir, nil).Checkpoints())
}
