//go:build interop

package interop

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var (
	historiesFlag = flag.Int("histories", 200, "how many histories the manager's differential test makes up")
	historyFlag   = flag.Int("history", -1, "the one history that it lives through; -1: all")
)

// atOnce is how many histories one request to TensorFlow has.
const atOnce = 25

// TensorFlow's CheckpointManager and ours live through the same histories. In
// tfexact's mode there is no difference after any step: neither in what a call
// returns, nor in lists, nor in the bytes of any file.
func TestManagerDoesWhatTensorFlowsDoes(t *testing.T) {
	numbers := make([]uint64, 0, *historiesFlag)
	for n := range uint64(*historiesFlag) {
		numbers = append(numbers, n)
	}
	if *historyFlag >= 0 {
		numbers = []uint64{uint64(*historyFlag)}
	}
	kinds := make(map[string]int)
	for batch := range slices.Chunk(numbers, atOnce) {
		var list []history
		for _, n := range batch {
			list = append(list, makeHistory(*seedFlag, n))
		}
		for i, d := range compare(t, list) {
			for _, s := range list[i].Steps {
				kinds[s.Do]++
			}
			if d != nil {
				d = shrink(t, list[i], d)
				t.Fatalf("history %d of seed %d: %v\nagain: go test -tags interop ./interop -run %s -seed %d -history %d",
					batch[i], *seedFlag, d, t.Name(), *seedFlag, batch[i])
			}
		}
	}
	t.Logf("%d histories, steps of each kind: %v", len(numbers), kinds)
}

// difference is a step after which the two sides are not the same.
type difference struct {
	h               history
	step            int
	tensorflow, our record
	err             error // of our looking
}

// compare lives through histories on both sides. A nil difference is none.
func compare(t *testing.T, list []history) []*difference {
	t.Helper()
	base := t.TempDir()
	for i := range list {
		list[i].Base = filepath.Join(base, "tf", fmt.Sprint(i))
	}
	logs := must[[][]record](t, "manager_histories", map[string]any{"list": list})
	found := make([]*difference, len(list))
	for i, h := range list {
		ours := h
		ours.Base = filepath.Join(base, "us", fmt.Sprint(i))
		w := newWorld(ours)
		for n, s := range h.Steps {
			want := translate(logs[i][n], h.Base, ours.Base)
			got, err := w.run(s, want)
			if err != nil || !same(want, got) {
				found[i] = &difference{h, n, want, got, err}
				break
			}
		}
		if err := w.end(); err != nil {
			t.Errorf("history %d: %v", i, err)
		}
	}
	return found
}

// translate gives a record of TensorFlow's our directory.
func translate(r record, from, to string) record {
	if r.State != nil {
		text := strings.ReplaceAll(*r.State, from, to)
		r.State = &text
	}
	return r
}

// same compares two records. latest_checkpoint is not a manager's: there we
// find more than TensorFlow, but nothing else.
func same(tensorflow, ours record) bool {
	if tensorflow.Found == "" {
		ours.Found = ""
	}
	for _, r := range []record{tensorflow, ours} {
		for _, s := range r.Slots {
			if s != nil && len(s.List) == 0 {
				s.List = nil
			}
		}
	}
	return reflect.DeepEqual(tensorflow, ours)
}

// shrink drops steps as long as the rest ends in a difference too.
func shrink(t *testing.T, h history, d *difference) *difference {
	t.Helper()
	h.Steps = h.Steps[:d.step+1]
	for i := len(h.Steps) - 2; i >= 0; i-- {
		shorter := h
		shorter.Steps = slices.Delete(slices.Clone(h.Steps), i, i+1)
		if again := compare(t, []history{shorter})[0]; again != nil {
			d, h = again, shorter
			h.Steps = h.Steps[:d.step+1]
			i = min(i, len(h.Steps)-1)
		}
	}
	return d
}

func (d *difference) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the sides differ after step %d of these (relative directory: %v):\n", d.step, d.h.Relative)
	for i, s := range d.h.Steps[:d.step+1] {
		fmt.Fprintf(&b, "  %2d %s\n", i, s)
	}
	if d.err != nil {
		fmt.Fprintf(&b, "looking at ours: %v\n", d.err)
	}
	fmt.Fprintf(&b, "TensorFlow:\n%sckpt:\n%s", d.tensorflow, d.our)
	return b.String()
}

func (s step) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	fields := make(map[string]any)
	if err := json.Unmarshal(text, &fields); err != nil {
		return err.Error()
	}
	line := s.Do
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		zero := fields[name] == nil || reflect.ValueOf(fields[name]).IsZero() || reflect.DeepEqual(fields[name], []any{})
		if name == "do" || zero || name == "options" && s.Do != "open" {
			continue
		}
		value, err := json.Marshal(fields[name])
		line += fmt.Sprintf(" %s=%s", name, value)
		if err != nil {
			return err.Error()
		}
	}
	return line
}

func (r record) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  returned %q, error %q, %d init calls, latest_checkpoint %q\n", r.Path, r.Error, r.Inits, r.Found)
	for i, s := range r.Slots {
		if s != nil {
			fmt.Fprintf(&b, "  slot %d: %+v\n", i, *s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		fmt.Fprintf(&b, "  %08x %s\n", r.Files[name], name)
	}
	if r.State != nil {
		fmt.Fprintf(&b, "  state file:\n%s", *r.State)
	}
	return b.String()
}
