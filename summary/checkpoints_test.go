package summary_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/summary"
	"github.com/ckpt-dev/ckpt/trackable"
)

// manage returns a manager that keeps two checkpoints of 8 bytes of tensors.
func manage(t *testing.T, dir storage.Dir, hooks *checkpoint.Hooks) *checkpoint.Manager {
	t.Helper()
	v := trackable.NewScalar("v", int64(1))
	c := checkpoint.New(nil, checkpoint.Objects{"v": v}, nil)
	m, err := checkpoint.NewManager(t.Context(), c, dir, &checkpoint.ManagerOptions{MaxToKeep: 2, Hooks: hooks})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close(context.Background())) })
	return m
}

func save(t *testing.T, m *checkpoint.Manager, step *int64, loss float64) string {
	t.Helper()
	path, err := m.Save(t.Context(), &checkpoint.SaveOptions{Step: step, Metrics: map[string]float64{"loss": loss, "acc": 1}})
	must(t, err)
	return path
}

// bytesOf returns what data and index of a checkpoint take.
func bytesOf(t *testing.T, dir storage.Dir, path string) (n int64) {
	t.Helper()
	for info, err := range dir.List(t.Context(), path+".") {
		must(t, err)
		if !strings.HasSuffix(info.Name, ".json") {
			n += info.Size
		}
	}
	return n
}

func TestASaveIsAPointOfEachCurve(t *testing.T) {
	dir, logs := mem.Dir(), mem.Dir()
	w := create(t, logs, nil)
	lists := 0
	counted := storage.WithTrace(dir, func(line string) {
		if strings.HasPrefix(line, "list") {
			lists++
		}
	})
	m := manage(t, dir, summary.Checkpoints(w, counted, nil))
	step := int64(40)
	first := bytesOf(t, dir, save(t, m, &step, 0.5))
	second := bytesOf(t, dir, save(t, m, nil, 0.25))
	third := bytesOf(t, dir, save(t, m, nil, 0.125))
	fourth := bytesOf(t, dir, save(t, m, nil, 0.0625))
	got := read(t, logs)
	for _, want := range []string{
		fmt.Sprintf("checkpoint/bytes@40=%d ", first),
		"metrics/acc@40=1 metrics/loss@40=0.5",
		fmt.Sprintf("checkpoint/bytes@2=%d checkpoint/disk_bytes@2=", second),
		"metrics/loss@3=0.125",
		"metrics/loss@4=0.0625",
		"checkpoint/save_seconds@4=",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("points are %q, want %q among them", got, want)
		}
	}
	// The first is gone; the second is there until the fourth is committed.
	if want := fmt.Sprintf("checkpoint/disk_bytes@4=%d ", second+third+fourth); !strings.Contains(got, want) {
		t.Errorf("points are %q, want %q among them", got, want)
	}
	if lists != 1 {
		t.Errorf("the directory was listed %d times for four saves, want once", lists)
	}
}

func TestDiskUseCountsWhatWasThere(t *testing.T) {
	dir, logs := mem.Dir(), mem.Dir()
	m := manage(t, dir, nil)
	for range 2 {
		save(t, m, nil, 1)
	}
	must(t, m.Close(t.Context()))
	w := create(t, logs, nil)
	m = manage(t, dir, summary.Checkpoints(w, dir, nil))
	third := bytesOf(t, dir, save(t, m, nil, 1))
	info, err := checkpoint.List(t.Context(), dir, nil)
	must(t, err)
	want := third
	for _, l := range info {
		if l.Path != "ckpt-3" {
			want += l.Size
		}
	}
	if got := read(t, logs); !strings.Contains(got, fmt.Sprintf("disk_bytes@3=%d ", want)) || want < 2*third {
		t.Errorf("points are %q, want disk use %d", got, want)
	}
}

func TestHooksOfTheCallersOwnAreCalledToo(t *testing.T) {
	var called []string
	next := &checkpoint.Hooks{
		BeforeSave:   func(_ context.Context, path string) error { called = append(called, "before "+path); return nil },
		AfterCommit:  func(_ context.Context, e checkpoint.Event) { called = append(called, "after "+e.Path) },
		AfterRemoval: func(_ context.Context, e checkpoint.Event) { called = append(called, "removed "+e.Path) },
	}
	dir := mem.Dir()
	m := manage(t, dir, summary.Checkpoints(create(t, mem.Dir(), nil), dir, &summary.CheckpointsOptions{Next: next}))
	for range 3 {
		save(t, m, nil, 1)
	}
	want := "before ckpt-1 after ckpt-1 before ckpt-2 after ckpt-2 before ckpt-3 after ckpt-3 removed ckpt-1"
	if got := strings.Join(called, " "); got != want {
		t.Errorf("called %q, want %q", got, want)
	}
}

func TestNoSaveFailsForItsSummary(t *testing.T) {
	var log bytes.Buffer
	broken := noCreate{mem.Dir(), errors.New("bucket gone")}
	dir := mem.Dir()
	o := &summary.CheckpointsOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	m := manage(t, dir, summary.Checkpoints(create(t, broken, nil), dir, o))
	if path := save(t, m, nil, 1); path != "ckpt-1" {
		t.Errorf("Save = %q, want ckpt-1", path)
	}
	if !strings.Contains(log.String(), "bucket gone") {
		t.Errorf("the log is %q, want the reason in it", log.String())
	}
}
