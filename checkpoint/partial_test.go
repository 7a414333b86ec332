package checkpoint

import (
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestAManagerDoesNotGoOnWithARenamedVariable(t *testing.T) {
	dir := mem.Dir()
	c := New(nil, Objects{"kept": variable(1), "weights": variable(2)}, nil)
	mustSave(t, newManager(t, c, dir, nil), nil)

	kept, renamed := variable(-1), variable(-1)
	after := New(nil, Objects{"kept": kept, "w": renamed}, nil)
	_, err := newManager(t, after, dir, nil).RestoreOrInitialize(background())
	if !errors.Is(err, trackable.ErrNotMatched) {
		t.Fatalf("RestoreOrInitialize() = %v, want ErrNotMatched", err)
	}
	want := "restore ckpt-1: not matched: objects not bound to checkpointed values: (root).w (ManagerOptions.Partial restores what there is)"
	if err.Error() != want {
		t.Errorf("RestoreOrInitialize() = %v, want %s", err, want)
	}
	if kept.Value[0] != -1 {
		t.Errorf("kept = %v after the refusal, want it as it was", kept.Value)
	}

	log, text := logged()
	m := newManager(t, after, dir, &ManagerOptions{Partial: true, Logger: log})
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-1" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-1", path, err)
	}
	if kept.Value[0] != 1 || renamed.Value[0] != -1 {
		t.Errorf("kept, renamed = %v, %v, want 1 and -1", kept.Value, renamed.Value)
	}
	if !strings.Contains(text.String(), "(root).w") {
		t.Errorf("logged %q, want what was left out", text)
	}
}

// What is only made after the restore waits for its value.
func TestAManagerRestoresWhatIsMadeLater(t *testing.T) {
	dir := mem.Dir()
	mustSave(t, newManager(t, New(nil, Objects{"v": variable(1)}, nil), dir, nil), nil)
	c := New(nil, nil, nil)
	if _, err := newManager(t, c, dir, nil).RestoreOrInitialize(background()); err != nil {
		t.Fatal(err)
	}
	v := variable(-1)
	if c.Track("v", v); v.Value[0] != 1 {
		t.Errorf("v = %v, want 1", v.Value)
	}
}
