package trackable

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// LoadStatus tells what a Restore matched. Its assertions look at the objects
// as they are when called, so that they can be repeated after more were
// tracked. (TensorFlow: CheckpointLoadStatus)
type LoadStatus struct {
	r        *restoration
	root     Object
	attached []Child
	partial  bool
	byName   bool // the graph was made up
}

// Err returns what went wrong in restores that had waited and ran in
// Node.Track, or nil. The assertions return it too.
func (s *LoadStatus) Err() error { return errors.Join(s.r.errs...) }

// Warnings returns what TensorFlow logs, in part only when the status is
// collected: references that are shared in the checkpoint and not here and,
// unless ExpectPartial was called, what the checkpoint holds and nothing took.
func (s *LoadStatus) Warnings() []string {
	c := s.r.conflicts
	all := c.first[:len(c.first):len(c.first)]
	if c.n > len(c.first) {
		all = append(all, fmt.Sprintf("and %d more", c.n-len(c.first)))
	}
	for _, line := range s.Unused() {
		all = append(all, "in the checkpoint and not restored (ExpectPartial silences this): "+line)
	}
	return all
}

// ExpectPartial says that not all of the checkpoint is wanted: Unused returns
// nothing from now on. The assertions are not affected. It returns s.
// (TensorFlow: expect_partial)
func (s *LoadStatus) ExpectPartial() *LoadStatus {
	s.partial = true
	return s
}

// Unused lists, one line each, what the checkpoint holds and no object here
// has taken yet; nil after ExpectPartial. TensorFlow logs it when the status
// is collected.
func (s *LoadStatus) Unused() []string {
	if s.partial {
		return nil
	}
	return append(s.unresolved().all(), s.untaken().all()...)
}

// AssertConsumed returns an error unless everything that the checkpoint holds
// was restored, and every object here that owns tensors got them.
// (TensorFlow: assert_consumed)
func (s *LoadStatus) AssertConsumed() error {
	if err := s.AssertExistingObjectsMatched(); err != nil {
		return err
	}
	if err := s.unresolved().err("unresolved objects in the checkpoint"); err != nil {
		return err
	}
	return s.untaken().err("unused attributes, stored for an object that does not take them")
}

// AssertExistingObjectsMatched returns an error unless every object here that
// owns tensors got them. The checkpoint may hold more.
// (TensorFlow: assert_existing_objects_matched)
func (s *LoadStatus) AssertExistingObjectsMatched() error {
	if err := s.Err(); err != nil {
		return err
	}
	return s.existingMatched(s.r.unstored, s.r.skippedAt)
}

// existingMatched returns an error if there are nodes without their tensors, or
// skipped ones, which are given, or objects without a node.
func (s *LoadStatus) existingMatched(unstored, skipped []int) error {
	if err := s.nodes(unstored).err("in the graph of the checkpoint, without their tensors"); err != nil {
		return err
	}
	if err := s.nodes(skipped).err("skipped since their tensors do not fit"); err != nil {
		return err
	}
	v, unmatched, err := s.unmatched()
	if err != nil {
		return err
	}
	names := lines{n: len(unmatched), line: func(i int) string { return v.routes.path(unmatched[i]) }}
	return names.err("objects not bound to checkpointed values")
}

// nodes lists stored nodes by their paths.
func (s *LoadStatus) nodes(ids []int) lines {
	return lines{n: len(ids), line: func(i int) string { return s.r.graph.Path(ids[i]) }}
}

// AssertNontrivialMatch returns an error unless something besides the root
// was matched. (TensorFlow: assert_nontrivial_match)
func (s *LoadStatus) AssertNontrivialMatch() error {
	if s.byName {
		return s.AssertExistingObjectsMatched()
	}
	if err := s.Err(); err != nil {
		return err
	}
	matched := 0
	for _, o := range s.r.bound {
		if o != nil {
			matched++
		}
	}
	if matched > 1 {
		return nil
	}
	v, err := newView(s.root, s.attached, !s.r.skipSlots)
	if err != nil {
		return err
	}
	if len(v.objects) <= 1 {
		return fmt.Errorf("%w: nothing to load: the root leads to no objects", ErrNotMatched)
	}
	names := lines{n: len(v.objects) - 1, line: func(i int) string { return v.routes.path(i + 1) }}
	return names.err("nothing except the root object is in the checkpoint")
}

// unmatched lists the objects that own tensors and are no stored node's, or
// that of one without tensors: in TensorFlow the latter pass for restored.
func (s *LoadStatus) unmatched() (*view, []int, error) {
	v, err := newView(s.root, s.attached, !s.r.skipSlots)
	if err != nil {
		return nil, nil, err
	}
	matched := make(map[Object]bool)
	for id, o := range s.r.bound {
		if o != nil && len(s.r.graph.Nodes[id].Attributes) > 0 {
			matched[o] = true
		}
	}
	if s.byName {
		maps.Copy(matched, s.r.restored) // what was tracked later
	}
	later := func(o Object) bool {
		_, tried := s.r.restored[o]
		return s.byName && !tried && s.r.uidOf(o) > s.r.uid
	}
	for _, e := range v.nodes[0].Children { // attached or, since a later Restore, its own
		if s.r.optional[e.Name] {
			matched[v.objects[e.Node]] = true
		}
	}
	var ids []int
	for id, o := range v.objects {
		if !matched[o] && !later(o) && ownsTensors(o) {
			ids = append(ids, id)
		}
	}
	return v, ids, nil
}

// ownsTensors reports whether o would save any; an object that cannot save
// now is taken to.
func ownsTensors(o Object) bool {
	s, ok := o.(Saveable)
	if !ok {
		return false
	}
	attributes, err := s.SerializeToTensors()
	return err != nil || len(attributes) > 0
}

// unresolved lists the stored nodes that have tensors and no object.
func (s *LoadStatus) unresolved() lines {
	var ids []int
	r := s.r
	for id, n := range r.graph.Nodes {
		skipped := r.graph.routes[id].owner != noOwner && r.skipSlots
		if r.bound[id] == nil && (len(n.Attributes) > 0 || n.Saver != "") && !skipped && !r.isOptional(id) {
			ids = append(ids, id)
		}
	}
	return s.nodes(ids)
}

// untaken lists the tensors stored for an object that has no use for them, and
// the nodes whose values are in files of a registered saver's own.
func (s *LoadStatus) untaken() lines {
	r := s.r
	var saved []int
	for id, n := range r.graph.Nodes {
		if n.Saver != "" && r.bound[id] != nil {
			saved = append(saved, id)
		}
	}
	return lines{n: len(r.unused) + len(saved), line: func(i int) string {
		if i < len(r.unused) {
			u := r.unused[i]
			return fmt.Sprintf("%s (%s)", r.graph.Path(u.node), u.name)
		}
		id := saved[i-len(r.unused)]
		return fmt.Sprintf("%s (files of registered saver %q)", r.graph.Path(id), r.graph.Nodes[id].Saver)
	}}
}

// lines is a list whose text is made only where it is shown: paths in a
// hostile graph can be long, and many.
type lines struct {
	n    int
	line func(i int) string
}

// all returns the lines, up to reportLimit.
func (l lines) all() []string {
	var all []string
	for i, size := 0, 0; i < l.n; i++ {
		if size > reportLimit {
			return append(all, fmt.Sprintf("and %d more", l.n-i))
		}
		all = append(all, l.line(i))
		size += len(all[i])
	}
	return all
}

// err returns an error that says what the list is and shows its beginning;
// nil if it is empty.
func (l lines) err(what string) error {
	if l.n == 0 {
		return nil
	}
	shown := lines{min(l.n, maxListed), l.line}.all()
	more := ""
	if l.n > len(shown) {
		more = fmt.Sprintf(" and %d more", l.n-len(shown))
	}
	return fmt.Errorf("%w: %s: %s%s", ErrNotMatched, what, strings.Join(shown, ", "), more)
}
