package checkpoint_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestReceiptsTellWhereACheckpointComesFrom(t *testing.T) {
	dir := mem.Dir()
	o := &checkpoint.ManagerOptions{Run: "base", Revision: &checkpoint.Revision{Commit: "c0ffee", Dirty: true}}
	begin := func() *checkpoint.Manager {
		c := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewScalar("v", int64(1))}, nil)
		m, err := checkpoint.NewManager(t.Context(), c, dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.RestoreOrInitialize(t.Context()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	save := func(m *checkpoint.Manager, from string) {
		t.Helper()
		path, err := m.Save(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := checkpoint.ReadReceipt(t.Context(), dir, path)
		if err != nil {
			t.Fatal(err)
		}
		if r.Run != "base" || r.Commit != "c0ffee" || !r.Dirty || r.RestoredFrom != from {
			t.Errorf("receipt of %s tells run %q, commit %q, dirty %t, restored from %q, want base, c0ffee, true, %q",
				path, r.Run, r.Commit, r.Dirty, r.RestoredFrom, from)
		}
	}
	m := begin()
	save(m, "")
	save(m, "")
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	m = begin()
	save(m, "ckpt-2")
	save(m, "ckpt-2")
	m.ContinueFrom("other/ckpt-9")
	save(m, "other/ckpt-9")
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
