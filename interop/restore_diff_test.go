//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

var restoresFlag = flag.Int("restores", 300, "how many random graphs TestRestoreDoesWhatTensorFlowsDoes restores")

// casesOfACall is how many cases one request has.
const casesOfACall = 25

// TestRestoreDoesWhatTensorFlowsDoes has one side save random graphs and both
// restore them, into graphs that are almost the same, step by step: errors,
// every value, the assertions and what they name are compared. A case that
// differs is made as small as it will still differ, and printed.
func TestRestoreDoesWhatTensorFlowsDoes(t *testing.T) {
	for first := 0; first < *restoresFlag; first += casesOfACall {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			r := random(t)
			var cases []*restoreCase
			for range min(casesOfACall, *restoresFlag-first) {
				cases = append(cases, newRestoreCase(r))
			}
			for i, err := range compareRestores(t, cases) {
				if err != nil {
					small, err := shrinkRestore(t, cases[i], err)
					text, _ := json.Marshal(small)
					t.Errorf("case %d: %v\n%s", i, err, text)
				}
			}
		})
	}
}

// stepAnswer is what py/restore.py answers to a step.
type stepAnswer struct {
	Error  string           `json:"error"`
	Values [][]graphs.Value `json:"values"`
	Checks []statusAnswer   `json:"checks"`
}

// statusAnswer is what a status says after a step.
type statusAnswer struct {
	ByName     bool     `json:"by_name"` // of a checkpoint without graph: only what was not restored
	Left       []string `json:"left"`
	Consumed   bool     `json:"consumed"`
	Existing   bool     `json:"existing"`
	Nontrivial bool     `json:"nontrivial"`
	Unresolved []string `json:"unresolved"`
	Unused     []string `json:"unused"`
	Unmatched  []int    `json:"unmatched"`
	Counter    bool     `json:"counter"` // the save counter is unmatched
	Hollow     []int    `json:"hollow"`
	Starved    []int    `json:"starved"`
	StarvedAt  []string `json:"starved_nodes"` // the nodes with tensors that it never looks at
}

// compareRestores runs cases on both sides, and says how each differs.
func compareRestores(t *testing.T, cases []*restoreCase) []error {
	t.Helper()
	for _, c := range cases {
		dir := t.TempDir()
		for i := range c.Saves {
			s := &c.Saves[i]
			place := filepath.Join(dir, fmt.Sprint(i))
			s.Prefix = filepath.Join(place, map[string]string{graphs.Write: "ckpt", graphs.Save: "ckpt-1"}[s.Graph.Call])
			if !s.Theirs {
				save(t, s.Graph, build(t, s.Graph), place)
			}
		}
	}
	theirs := must[[][]stepAnswer](t, "restore_cases", map[string]any{"cases": cases})
	errs := make([]error, len(cases))
	for i, c := range cases {
		errs[i] = compareCase(t, c, theirs[i])
	}
	return errs
}

// restoring is our side of a case.
type restoring struct {
	c        *restoreCase
	built    *graphs.Built
	ckpt     *checkpoint.Checkpoint
	statuses []*trackable.LoadStatus
	starved  map[int]bool
}

func compareCase(t *testing.T, c *restoreCase, theirs []stepAnswer) error {
	skip := false
	for _, s := range c.Steps {
		skip = skip || s.Skip
	}
	b := build(t, c.Here)
	r := &restoring{c: c, built: b, starved: map[int]bool{}}
	r.ckpt = checkpoint.New(b.Root(), b.Attached(), &checkpoint.Options{SkipSlotVariables: skip})
	for i, answer := range theirs {
		before, err := r.values()
		if err != nil {
			return err
		}
		stop, err := r.compareStep(c.Steps[i], answer, before)
		if err != nil {
			return fmt.Errorf("step %d %+v: %w", i, c.Steps[i], err)
		}
		if stop {
			return nil
		}
	}
	return nil
}

// compareStep does a step and compares; stop after an error on both sides.
func (r *restoring) compareStep(s restoreStep, theirs stepAnswer, before [][]graphs.Value) (stop bool, err error) {
	ours := r.do(s)
	// A state that is stored as something else is handed to it by TensorFlow;
	// ours is left alone, as other objects are that do not take what is stored.
	if strings.Contains(theirs.Error, "a state is bytes") {
		return true, nil
	}
	// An object that keeps no slots is in the place of an optimizer, and the
	// variable was there before it: TensorFlow does not ask whether it can.
	if strings.Contains(theirs.Error, "has no attribute '_create_or_restore_slot_variable'") {
		return ours != nil, ours
	}
	if ours != nil && theirs.Error == "" && r.swallowed(s, ours) {
		return true, nil
	}
	if (ours != nil) != (theirs.Error != "") {
		return true, fmt.Errorf("error %v, TensorFlow's %q", ours, theirs.Error)
	}
	if ours != nil {
		if !errors.Is(ours, trackable.ErrNotMatched) {
			return true, fmt.Errorf("error %w is not ErrNotMatched; TensorFlow's %q", ours, theirs.Error)
		}
		after, err := r.values()
		if err == nil && s.Op != "track" && s.Op != "slot" {
			err = r.sameValues(after, before) // nothing was changed, where TensorFlow changes some
		}
		return true, err
	}
	for i, check := range theirs.Checks {
		for _, id := range check.Starved {
			r.starved[id] = true
		}
		if err := r.compareStatus(r.statuses[i], check); err != nil && !tried(check, theirs.Checks[i+1:]) {
			return true, fmt.Errorf("status %d: %w", i, err)
		}
	}
	after, err := r.values()
	if err != nil {
		return true, err
	}
	return false, r.sameValues(after, theirs.Values)
}

// swallowed reports whether an error is one that TensorFlow's lists and dicts
// take for "not trackable": a wrong shape behind a new element
// (trackable/data_structures.py, List._track_value).
func (r *restoring) swallowed(s restoreStep, err error) bool {
	if s.Op != "track" || s.Parent < 0 {
		return false
	}
	kind := r.c.Here.Objects[s.Parent].Kind
	var m *trackable.Mismatch
	return (kind == "list" || kind == "dict") && errors.As(err, &m) && m.Stored.DType == m.Want.DType && !m.Stored.Shape.Equal(m.Want.Shape)
}

// do does a step on our side.
func (r *restoring) do(s restoreStep) error {
	b := r.built
	switch s.Op {
	case "restore", "read":
		read := r.ckpt.Restore
		if s.Op == "read" {
			read = r.ckpt.Read
		}
		prefix := r.c.Saves[s.Save].Prefix
		status, err := read(context.Background(), storage.ReadOnly(local.Dir(filepath.Dir(prefix))), filepath.Base(prefix))
		if err != nil {
			return err
		}
		r.statuses = append(r.statuses, status)
	case "slot":
		b.Objects[s.Parent].(*graphs.SlotOwner).AddSlot(trackable.Slot{Variable: b.Objects[s.Variable], Name: s.Name, Value: b.Objects[s.Object]})
	case "track":
		r.track(s)
	}
	for _, s := range r.statuses {
		if err := s.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoring) track(s restoreStep) {
	o := r.built.Objects[s.Object]
	if s.Parent < 0 {
		r.ckpt.Track(s.Name, o)
		return
	}
	switch p := r.built.Objects[s.Parent].(type) {
	case *trackable.Dict:
		p.Set(s.Name, o)
	case interface {
		Track(string, trackable.Object) *trackable.Node
	}:
		p.Track(s.Name, o)
	}
}

func (r *restoring) values() ([][]graphs.Value, error) {
	all := make([][]graphs.Value, len(r.built.Objects))
	for i := range all {
		var err error
		if all[i], err = r.built.Values(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sameValues compares all objects' values. Of an object that is bound to a node
// without tensors first and to one with them later TensorFlow never restores
// the latter's; ours does.
func (r *restoring) sameValues(ours, theirs [][]graphs.Value) error {
	for i := range ours {
		if !r.starved[i] && !slices.EqualFunc(ours[i], theirs[i], sameValue) {
			return fmt.Errorf("object %d is %v, TensorFlow's %v", i, ours[i], theirs[i])
		}
	}
	return nil
}

// compareStatus compares what the assertions say. Where we differ:
//
//   - the save counter is optional here (semantics P33);
//   - an object bound to a node without tensors got no value: for TensorFlow
//     it is matched, here not (hollow);
//   - to an object bound to a node without tensors first and to one with them
//     later TensorFlow does not even try to give the latter's (starved).
func (r *restoring) compareStatus(s *trackable.LoadStatus, theirs statusAnswer) error {
	if theirs.ByName {
		return compareByName(s, theirs)
	}
	unmatched := slices.Clone(theirs.Unmatched)
	for _, id := range theirs.Hollow {
		if kind := r.c.Here.Objects[id].Kind; kind == "variable" || kind == "state" || kind == "tensors" {
			unmatched = append(unmatched, id)
		}
	}
	slices.Sort(unmatched)
	unmatched = slices.Compact(unmatched)
	if ours := r.unmatched(s); !slices.Equal(ours, unmatched) && len(theirs.Unmatched) < 10 {
		return fmt.Errorf("unmatched objects %v, TensorFlow's %v and hollow ones %v", ours, theirs.Unmatched, theirs.Hollow)
	}
	unused := slices.DeleteFunc(slices.Clone(theirs.Unresolved), func(p string) bool { return p == "(root).save_counter" })
	unused = append(unused, theirs.Unused...)
	slices.Sort(unused)
	ours := slices.Sorted(slices.Values(s.Unused()))
	consumed := len(ours) == 0
	ours = slices.DeleteFunc(ours, func(line string) bool {
		path, _, unused := strings.Cut(line, " (")
		return unused && slices.Contains(theirs.StarvedAt, path)
	})
	if !slices.Equal(ours, unused) {
		return fmt.Errorf("Unused() = %q, TensorFlow's %q", ours, unused)
	}
	existing := len(unmatched) == 0
	for _, c := range []struct {
		name         string
		ours         error
		want, theirs bool
	}{
		{"AssertExistingObjectsMatched", s.AssertExistingObjectsMatched(), existing, theirs.Existing},
		{"AssertConsumed", s.AssertConsumed(), existing && consumed, theirs.Consumed},
		{"AssertNontrivialMatch", s.AssertNontrivialMatch(), theirs.Nontrivial || r.counted(s, theirs), theirs.Nontrivial},
	} {
		if (c.ours == nil) != c.want {
			return fmt.Errorf("%s = %v, want it to pass: %v; TensorFlow's passes: %v", c.name, c.ours, c.want, c.theirs)
		}
	}
	return explained(theirs, existing, len(unused) == 0)
}

// tried reports whether TensorFlow takes objects for restored by names because a
// later restore tried to, and has them left (checkpoint/checkpoint.py, NameBasedSaverStatus).
func tried(theirs statusAnswer, later []statusAnswer) bool {
	return theirs.ByName && len(theirs.Left) == 0 &&
		slices.ContainsFunc(later, func(s statusAnswer) bool { return s.ByName && len(s.Left) > 0 })
}

// compareByName compares NameBasedSaverStatus's one check.
func compareByName(s *trackable.LoadStatus, theirs statusAnswer) error {
	for _, ours := range []error{s.AssertConsumed(), s.AssertExistingObjectsMatched(), s.AssertNontrivialMatch()} {
		if (ours == nil) != (len(theirs.Left) == 0) {
			return fmt.Errorf("by name: %v, TensorFlow has left %q", ours, theirs.Left)
		}
	}
	return nil
}

// counted reports whether the save counter makes a difference: where several
// restores wait for it in a root, TensorFlow's gets the oldest one's value and
// is no match of the others (checkpoint/checkpoint.py, _maybe_create_save_counter).
func (r *restoring) counted(s *trackable.LoadStatus, theirs statusAnswer) bool {
	return r.built.Root() != nil && len(r.statuses) > 1 && slices.Contains(theirs.Unresolved, "(root).save_counter") &&
		s.AssertNontrivialMatch() == nil
}

// explained makes sure that TensorFlow's outcomes differ from what we want only
// by the two differences above.
func explained(theirs statusAnswer, existing, consumed bool) error {
	counter := theirs.Counter || slices.Contains(theirs.Unresolved, "(root).save_counter")
	if theirs.Existing != existing && !counter && len(theirs.Hollow) == 0 {
		return fmt.Errorf("TensorFlow's assert_existing_objects_matched passes: %v, what it names says %v", theirs.Existing, existing)
	}
	if theirs.Consumed != (existing && consumed) && !counter && len(theirs.Hollow) == 0 {
		return fmt.Errorf("TensorFlow's assert_consumed passes: %v, what is left says %v", theirs.Consumed, existing && consumed)
	}
	return nil
}

// unmatched returns the ids of the objects that the report says got no value.
func (r *restoring) unmatched(s *trackable.LoadStatus) []int {
	ids := []int{}
	paths := r.paths()
	for _, m := range s.Skipped() {
		id, ok := paths[m.Object]
		if !ok {
			id = -1
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// paths finds the objects by their paths, as reports name them.
func (r *restoring) paths() map[string]int {
	ids := map[trackable.Object]int{}
	for i, o := range r.built.Objects {
		ids[o] = i
	}
	var root trackable.Object = r.ckpt
	if r.built.Root() != nil {
		root = r.built.Root()
	}
	path := map[trackable.Object]string{root: "(root)"}
	queue := []trackable.Object{root}
	for i := 0; i < len(queue); i++ {
		children := queue[i].TrackableChildren()
		if i == 0 {
			children = append(children, r.ckpt.TrackableChildren()...)
		}
		for _, c := range children {
			if _, seen := path[c.Object]; !seen {
				path[c.Object] = path[queue[i]] + "." + c.Name
				queue = append(queue, c.Object)
			}
		}
	}
	found := map[string]int{}
	for _, o := range queue {
		if id, ok := ids[o]; ok {
			found[path[o]] = id
		}
		owner, ok := o.(trackable.SlotOwner)
		if !ok {
			continue
		}
		for _, s := range owner.Slots() {
			found[fmt.Sprintf("%s's state '%s' for %s", path[o], s.Name, path[s.Variable])] = ids[s.Value]
		}
	}
	return found
}
