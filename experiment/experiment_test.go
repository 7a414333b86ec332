package experiment_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// at returns options of the program of one revision at a time.
func at(minute int, o experiment.RunOptions) *experiment.RunOptions {
	o.Now = func() time.Time { return time.Date(2026, 5, 4, 12, minute, 0, 0, time.UTC) }
	o.Revision = &checkpoint.Revision{Commit: "c0ffee", Dirty: true}
	return &o
}

func begin(t *testing.T, e *experiment.Experiment, name string, o *experiment.RunOptions) *experiment.Run {
	t.Helper()
	r, err := e.Begin(t.Context(), name, o)
	must(t, err)
	return r
}

func recordText(t *testing.T, root storage.Dir, run string) string {
	t.Helper()
	text, err := storage.ReadFile(t.Context(), root, run+"/run.json")
	must(t, err)
	return string(text)
}

func TestARunIsRecorded(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	o := at(0, experiment.RunOptions{
		Tags: []string{"a"}, Params: map[string]any{"lr": 0.1, "layers": int64(1) << 62, "name": "x"},
		From: &experiment.Origin{Path: "pretrained"},
	})
	r, err := e.Create(t.Context(), "group/run", o)
	must(t, err)
	must(t, r.Tag(t.Context(), "b", "a"))
	if _, err := e.Create(t.Context(), "group/run", o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of a run that exists = %v, want %v", err, fs.ErrExist)
	}
	must(t, r.Finish(t.Context(), errors.New("loss is NaN")))
	for _, want := range []string{
		`"commit": "c0ffee"`, `"created": "2026-05-04T12:00:00Z"`, `"dirty": true`, `"error": "loss is NaN"`,
		`"finished": "2026-05-04T12:00:00Z"`, `"path": "pretrained"`, `"layers": 4611686018427387904`, `"lr": 0.1`,
		`"schema": 1`, `"status": "failed"`, "\"a\",\n    \"b\"\n",
	} {
		if got := recordText(t, root, "group/run"); !strings.Contains(got, want) {
			t.Errorf("run.json is %s, want %s in it", got, want)
		}
	}
	again, err := e.Run(t.Context(), "group/run")
	must(t, err)
	got, want := again.Record(), r.Record()
	if *got.From != *want.From {
		t.Errorf("read back from %v, want %v", got.From, want.From)
	}
	got.From, want.From = nil, nil
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("read back: %s, want %s", got, want)
	}
}

func TestBeginGoesOnWithARun(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	params := map[string]any{"lr": 0.1, "n": 3, "nested": map[string]any{"x": []int{1}}}
	first := begin(t, e, "run", at(0, experiment.RunOptions{Params: params, Tags: []string{"kept"}}))
	must(t, first.Finish(t.Context(), nil))
	r := begin(t, e, "run", at(5, experiment.RunOptions{Params: params, Tags: []string{"new"}})).Record()
	if r.Status != experiment.Running || !r.Finished.IsZero() || r.Created.Minute() != 0 || r.Started.Minute() != 5 || fmt.Sprint(r.Tags) != "[kept]" {
		t.Errorf("begun again: %+v", r)
	}
	begin(t, e, "run", at(6, experiment.RunOptions{})) // without params: any
	for name, other := range map[string]map[string]any{
		"changed": {"lr": 0.2, "n": 3, "nested": params["nested"]},
		"new":     {"lr": 0.1, "n": 3, "nested": params["nested"], "more": true},
		"missing": {"lr": 0.1, "n": 3},
	} {
		if _, err := e.Begin(t.Context(), "run", at(7, experiment.RunOptions{Params: other})); !errors.Is(err, experiment.ErrParams) {
			t.Errorf("Begin with a param that is %s = %v, want %v", name, err, experiment.ErrParams)
		}
	}
	if got := recordText(t, root, "run"); !strings.Contains(got, "12:06") {
		t.Errorf("a Begin that was refused changed the record: %s", got)
	}
}

func TestWhatARecordCannotHoldIsRefused(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	for name, params := range map[string]map[string]any{
		"not a number": {"x": math.NaN()}, "no value": {"x": func() {}}, "large": {"x": strings.Repeat("x", 2<<20)},
	} {
		if _, err := e.Create(t.Context(), "run", &experiment.RunOptions{Params: params}); err == nil {
			t.Errorf("params that are %s: no error", name)
		}
	}
	for _, name := range []string{"", "../up", "/abs", "a//b"} {
		if _, err := e.Begin(t.Context(), name, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Begin(%q) = %v, want %v", name, err, fs.ErrInvalid)
		}
	}
	if _, err := e.Run(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Run of no run = %v, want %v", err, fs.ErrNotExist)
	}
	for info, err := range root.List(t.Context(), "") {
		t.Errorf("%s was written (%v)", info.Name, err)
	}
}

func TestFieldsOfALaterVersionAreKept(t *testing.T) {
	root := mem.Dir()
	text := `{"schema": 2, "status": "paused", "notes": {"by": "me"}, "params": {"lr": 1e-05}}`
	must(t, storage.WriteFile(t.Context(), root, "run/run.json", []byte(text)))
	r, err := experiment.Open(root).Run(t.Context(), "run")
	must(t, err)
	must(t, r.Tag(t.Context(), "x"))
	for _, want := range []string{`"schema": 2`, `"by": "me"`, `"status": "paused"`, `"lr": 1e-05`, `"x"`} {
		if got := recordText(t, root, "run"); !strings.Contains(got, want) {
			t.Errorf("run.json is %s, want %s in it", got, want)
		}
	}
}

// manager returns a manager of one variable in the run's directory.
func manager(t *testing.T, r *experiment.Run, v *trackable.Variable[int64]) *checkpoint.Manager {
	t.Helper()
	c := checkpoint.New(nil, checkpoint.Objects{"v": v}, nil)
	m, err := checkpoint.NewManager(t.Context(), c, r.Dir(), r.ManagerOptions(&checkpoint.ManagerOptions{MaxToKeep: 3}))
	must(t, err)
	return m
}

func saveAt(t *testing.T, m *checkpoint.Manager, step int64, loss float64) string {
	t.Helper()
	path, err := m.Save(t.Context(), &checkpoint.SaveOptions{Step: &step, Metrics: map[string]float64{"loss": loss}})
	must(t, err)
	return path
}

func TestARunGoesOnFromAnother(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	base := begin(t, e, "base", at(0, experiment.RunOptions{}))
	m := manager(t, base, trackable.NewScalar("v", int64(42)))
	saveAt(t, m, 10, 1)
	saveAt(t, m, 20, 0.5)
	must(t, m.Close(t.Context()))

	tuned := begin(t, e, "tuned", at(1, experiment.RunOptions{}))
	v := trackable.NewScalar("v", int64(0))
	m = manager(t, tuned, v)
	status, err := tuned.RestoreFrom(t.Context(), m, base, "")
	must(t, err)
	must(t, status.AssertConsumed())
	if v.Value[0] != 42 {
		t.Errorf("restored %d, want 42", v.Value[0])
	}
	path := saveAt(t, m, 21, 0.25)
	must(t, m.Close(t.Context()))
	receipt, err := checkpoint.ReadReceipt(t.Context(), tuned.Dir(), path)
	must(t, err)
	if receipt.Run != "tuned" || receipt.RestoredFrom != "base/ckpt-2" || receipt.Commit != "c0ffee" || !receipt.Dirty {
		t.Errorf("receipt is %+v, want run tuned, from base/ckpt-2, of c0ffee, dirty", receipt)
	}
	again, err := e.Run(t.Context(), "tuned")
	must(t, err)
	if from := again.Record().From; from == nil || from.String() != "base/ckpt-2" || *from.Step != 20 {
		t.Errorf("the record's origin is %v, want base/ckpt-2 at step 20", from)
	}
}

func TestARestoreThatFailsIsNotRecorded(t *testing.T) {
	e := experiment.Open(mem.Dir())
	base, tuned := begin(t, e, "base", nil), begin(t, e, "tuned", nil)
	m := manager(t, tuned, trackable.NewScalar("v", int64(0)))
	for _, path := range []string{"", "ckpt-1"} {
		if _, err := tuned.RestoreFrom(t.Context(), m, base, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("RestoreFrom(%q) of a run without checkpoints = %v, want %v", path, err, fs.ErrNotExist)
		}
	}
	if from := tuned.Record().From; from != nil {
		t.Errorf("the record's origin is %v, want none", from)
	}
}

func TestARecordThatIsNoneIsCorrupt(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "not JSON": "lr=0.1", "a list": "[]", "of no schema": "{}", "of another kind": `{"schema": 1, "tags": 7}`,
		"followed by more": `{"schema": 1}{"schema": 1}`, "large": `{"schema": 1, "x": "` + strings.Repeat("x", 2<<20) + `"}`,
		"large and whole": `{"schema": 1}` + strings.Repeat(" ", 2<<20),
		"deep":            `{"schema": 1, "params": {"x": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`,
	} {
		root := mem.Dir()
		must(t, storage.WriteFile(t.Context(), root, "run/run.json", []byte(text)))
		e := experiment.Open(root)
		if _, err := e.Run(t.Context(), "run"); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s: Run = %v, want %v", name, err, format.ErrCorrupt)
		}
		if _, err := e.Begin(t.Context(), "run", nil); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s: Begin = %v, want %v", name, err, format.ErrCorrupt)
		}
		if got, err := storage.ReadFile(t.Context(), root, "run/run.json"); err != nil || string(got) != text {
			t.Errorf("%s: run.json was changed", name)
		}
	}
}

// endless is a place whose files claim to be a tebibyte of blanks.
type endless struct {
	storage.Dir
	read int64
}

func (d *endless) Open(context.Context, string) (storage.File, error) { return d, nil }
func (d *endless) Close() error                                       { return nil }
func (d *endless) Size() int64                                        { return 1 << 40 }

func (d *endless) ReadAt(b []byte, _ int64) (int, error) {
	if d.read += int64(len(b)); d.read > 4<<20 {
		return 0, errors.New("too much was read")
	}
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestARecordIsReadInBounds(t *testing.T) {
	if _, err := experiment.Open(&endless{Dir: mem.Dir()}).Run(t.Context(), "run"); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Run of an endless record = %v, want %v", err, format.ErrCorrupt)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"schema": 1, "status": "running", "params": {"lr": 0.1, "x": [1, {"y": null}]}, "from": {"run": "a", "path": "b", "step": 3}, "new": 7}`))
	f.Add([]byte(`{"schema": 1, "created": "2026-05-04T12:00:00Z", "tags": ["\u0000"], "pid": 3, "dirty": true}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		root := mem.Dir()
		must(t, storage.WriteFile(t.Context(), root, "run/run.json", text))
		e := experiment.Open(root)
		r, err := e.Run(t.Context(), "run")
		if err != nil {
			if !errors.Is(err, format.ErrCorrupt) {
				t.Fatalf("Run = %v, want %v", err, format.ErrCorrupt)
			}
			return
		}
		if err := r.Tag(t.Context(), "again"); err != nil {
			return // one near the limit becomes too large
		}
		again, err := e.Run(t.Context(), "run")
		must(t, err)
		if got, want := fmt.Sprint(again.Record().Params), fmt.Sprint(r.Record().Params); got != want {
			t.Fatalf("params %s came back as %s", want, got)
		}
	})
}
