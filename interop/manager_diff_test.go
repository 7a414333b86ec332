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
	happened := make(map[string]int)
	before := func() {} // looks at what the histories before came to
	for batch := range slices.Chunk(numbers, atOnce) {
		var list []history
		for _, n := range batch {
			list = append(list, makeHistory(*seedFlag, n))
		}
		// TensorFlow is busy with these while we are with those before.
		log := tensorflowsLog(t, list)
		before()
		log.count(happened)
		found := make(chan []*difference, 1)
		go func() { found <- follow(t, log) }()
		before = func() { report(t, batch, log.list, <-found) }
	}
	before()
	t.Logf("%d histories, what happened how often: %v", len(numbers), happened)
}

func report(t *testing.T, numbers []uint64, list []history, found []*difference) {
	t.Helper()
	for i, d := range found {
		if d != nil {
			t.Fatalf("history %d of seed %d: %v\nagain: go test -tags interop ./interop -run %s -seed %d -history %d",
				numbers[i], *seedFlag, shrink(t, list[i], d), t.Name(), *seedFlag, numbers[i])
		}
	}
}

// log is what TensorFlow's side of histories wrote down.
type log struct {
	base    string
	list    []history
	records [][]record
}

func tensorflowsLog(t *testing.T, list []history) *log {
	t.Helper()
	l := &log{base: t.TempDir(), list: list}
	for i := range list {
		list[i].Base = filepath.Join(l.base, "tf", fmt.Sprint(i))
	}
	l.records = must[[][]record](t, "manager_histories", map[string]any{"list": list})
	return l
}

// count adds up what happens.
func (l *log) count(happened map[string]int) {
	for i, h := range l.list {
		for n, s := range h.Steps {
			happened[outcome(s, l.records[i][n])]++
		}
	}
}

// difference is a step after which the two sides are not the same.
type difference struct {
	h               history
	step            int
	tensorflow, our record
	err             error // of our looking
}

// follow lives through the histories on our side and compares. A nil
// difference is none.
func follow(t *testing.T, l *log) []*difference {
	found := make([]*difference, len(l.list))
	for i, h := range l.list {
		ours := h
		ours.Base = filepath.Join(l.base, "us", fmt.Sprint(i))
		w := newWorld(ours)
		for n, s := range h.Steps {
			want := translate(l.records[i][n], h.Base, ours.Base)
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

// outcome is a step in words: "save", "save: none", "open: invalid".
func outcome(s step, r record) string {
	switch {
	case r.Error != "":
		return s.Do + ": " + r.Error
	case r.Path == "" && (s.Do == "save" || s.Do == "init" || s.Do == "restore"):
		return s.Do + ": none"
	}
	return s.Do
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
		if again := follow(t, tensorflowsLog(t, []history{shorter}))[0]; again != nil {
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
