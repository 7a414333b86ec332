package experiment_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// run makes a run with a checkpoint for each loss, the last three kept.
func run(t *testing.T, e *experiment.Experiment, name string, from *experiment.Run, losses ...float64) *experiment.Run {
	t.Helper()
	r := begin(t, e, name, at(0, experiment.RunOptions{}))
	m := manager(t, r, trackable.NewScalar("v", int64(1)))
	if from != nil {
		_, err := r.RestoreFrom(t.Context(), m, from, "")
		must(t, err)
	}
	for i, loss := range losses {
		saveAt(t, m, int64(10*(i+1)), loss)
	}
	must(t, m.Close(t.Context()))
	return r
}

func line(l experiment.Listing) string {
	s := fmt.Sprintf("%s %t %d", l.Name, l.Recorded, l.Checkpoints)
	if l.Newest != nil && l.Newest.Receipt != nil && l.Newest.Receipt.Step != nil {
		s += fmt.Sprintf(" %s@%d %v", l.Newest.Path, *l.Newest.Receipt.Step, l.Newest.Receipt.Metrics["loss"])
	}
	if l.Best != nil {
		s += fmt.Sprintf(" best %s", l.Best.Path)
	}
	if l.Err != nil {
		s += " " + l.Err.Error()
	}
	return s
}

func wantRuns(t *testing.T, e *experiment.Experiment, o *experiment.ListOptions, want ...string) {
	t.Helper()
	list, err := e.Runs(t.Context(), o)
	must(t, err)
	var got []string
	for _, l := range list {
		got = append(got, line(l))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("Runs:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRunsAreListedWithWhatTheyHave(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	wantRuns(t, e, nil)
	run(t, e, "b", nil, 0.5, 0.125, 0.25, 0.75)
	run(t, e, "a/1", nil, 0.5)
	run(t, e, "a", nil)
	must(t, storage.WriteFile(t.Context(), root, "broken/run.json", []byte("{")))
	must(t, storage.WriteFile(t.Context(), root, "notes/readme.txt", nil))
	must(t, storage.WriteFile(t.Context(), root, "run.json", nil)) // the root is no run of itself
	// What nobody recorded, as TensorFlow leaves it.
	plain, err := checkpoint.NewManager(t.Context(), checkpoint.New(nil, nil, nil), storage.Sub(root, "tf"), nil)
	must(t, err)
	_, err = plain.Save(t.Context(), nil)
	must(t, err)
	must(t, plain.Close(t.Context()))

	broken := "broken true 0 run.json: corrupt: not a record of a run: unexpected EOF"
	wantRuns(t, e, nil, "a true 0", "a/1 true 1 ckpt-1@10 0.5", "b true 3 ckpt-4@40 0.75", broken, "tf false 1")
	wantRuns(t, e, &experiment.ListOptions{Metric: "loss"},
		"a true 0", "a/1 true 1 ckpt-1@10 0.5 best ckpt-1", "b true 3 ckpt-4@40 0.75 best ckpt-2", broken, "tf false 1")
	wantRuns(t, e, &experiment.ListOptions{Metric: "loss", Highest: true},
		"a true 0", "a/1 true 1 ckpt-1@10 0.5 best ckpt-1", "b true 3 ckpt-4@40 0.75 best ckpt-4", broken, "tf false 1")
	// Not a number is no candidate, nor what keeps others from being one.
	other := experiment.Open(mem.Dir())
	run(t, other, "x", nil, math.NaN(), 0.5, 0.25)
	wantRuns(t, other, &experiment.ListOptions{Metric: "loss"}, "x true 3 ckpt-3@30 0.25 best ckpt-3")
	wantRuns(t, e, &experiment.ListOptions{Metric: "none"},
		"a true 0", "a/1 true 1 ckpt-1@10 0.5", "b true 3 ckpt-4@40 0.75", broken, "tf false 1")
}

// A thousand runs: one listing of the experiment, three small files each.
func TestListingRunsOpensFewFiles(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	const n = 20
	for i := range n {
		run(t, e, fmt.Sprintf("run-%02d", i), nil, 0.5, 0.25, 0.125)
	}
	var mu sync.Mutex
	count := map[string]int{}
	traced := storage.WithTrace(root, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		count[verb]++
	})
	list, err := experiment.Open(traced).Runs(t.Context(), nil)
	must(t, err)
	if len(list) != n || count["list"] != 1 || count["open"] != 3*n {
		t.Errorf("%d runs took %v, want one listing and %d opens", len(list), count, 3*n)
	}
}

func TestListingRunsObeysItsContext(t *testing.T) {
	e := experiment.Open(mem.Dir())
	run(t, e, "a", nil, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Runs(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Runs = %v, want %v", err, context.Canceled)
	}
}

func TestAncestorsAreFollowedAndDoNotCircle(t *testing.T) {
	root := mem.Dir()
	e := experiment.Open(root)
	a := run(t, e, "a", nil, 1)
	b := run(t, e, "b", a, 0.5)
	run(t, e, "c", b, 0.25)
	list, err := e.Runs(t.Context(), nil)
	must(t, err)
	for name, want := range map[string]string{"a": "[]", "b": "[a/ckpt-1]", "c": "[b/ckpt-2 a/ckpt-1]", "none": "[]"} {
		if got := fmt.Sprint(experiment.Ancestors(list, name)); got != want {
			t.Errorf("Ancestors(%s) = %s, want %s", name, got, want)
		}
	}
	must(t, storage.WriteFile(t.Context(), root, "a/run.json", []byte(`{"schema":1,"from":{"run":"c","path":"ckpt-3"}}`)))
	list, err = e.Runs(t.Context(), nil)
	must(t, err)
	if got, want := fmt.Sprint(experiment.Ancestors(list, "b")), "[a/ckpt-1 c/ckpt-3 b/ckpt-2]"; got != want {
		t.Errorf("Ancestors(b) of a circle = %s, want %s", got, want)
	}
}
