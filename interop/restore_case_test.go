//go:build interop

package interop

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/tensor"
)

// restoreCase is what both sides do: save some graphs, then restore them, step
// by step, into another. py/restore.py describes it and has TensorFlow's side.
type restoreCase struct {
	Saves []savedGraph  `json:"saves"`
	Here  *graphs.Graph `json:"here"`
	Steps []restoreStep `json:"steps"`
}

type savedGraph struct {
	Graph  *graphs.Graph `json:"graph"`
	Prefix string        `json:"prefix"`
	Theirs bool          `json:"theirs"` // TensorFlow saves it
	Named  []int         `json:"named"`  // only these variables, by name and without a graph, as in TensorFlow 1
}

type restoreStep struct {
	Op       string `json:"op"` // "restore", "read", "track", "slot"
	Save     int    `json:"save"`
	Skip     bool   `json:"skip"`   // slot variables
	Parent   int    `json:"parent"` // -1: the Checkpoint
	Name     string `json:"name"`
	Variable int    `json:"variable"`
	Object   int    `json:"object"`
}

// graphMaker makes up a graph, and others that are almost the same.
type graphMaker struct {
	*rand.Rand
	objects  []graphObject
	root     int // -1: the Checkpoint
	attached []graphs.Edge
	late     []restoreStep
}

// graphObject is a graphs.Object whose edges are easy to change, whatever its kind.
type graphObject struct {
	kind        string
	edges       []graphs.Edge
	dtype       tensor.DType
	shape       tensor.Shape
	tensors     []string
	slots, lazy []slotOf
	isSlot      bool // somebody's slot, and nobody's child
}

type slotOf struct {
	name            string
	variable, value int
}

var restoreNames = []string{"a", "b", "c", "d", "x/y"}

func newGraph(r *rand.Rand) *graphMaker {
	m := &graphMaker{Rand: r, root: -1}
	n := 3 + m.IntN(6)
	kinds := []string{"node", "node", "node", "variable", "variable", "variable", "list", "dict", "tensors", "state", "slots", "slots"}
	for range n {
		m.add(kinds[m.IntN(len(kinds))])
	}
	for i := range n {
		for range m.IntN(4) {
			m.connect(i)
		}
		if m.objects[i].kind == "slots" {
			m.addSlots(i, n)
			m.attach(i) // rarely of interest where it is not reached
		}
	}
	if i := slices.IndexFunc(m.objects, func(o graphObject) bool { return o.kind == "node" }); i >= 0 && m.IntN(2) == 0 {
		m.root = i
	}
	for range 1 + m.IntN(3) {
		m.attach(m.pick())
	}
	return m
}

func (m *graphMaker) add(kind string) int {
	o := graphObject{kind: kind, dtype: tensor.Float32}
	if m.IntN(4) == 0 {
		o.shape = tensor.Shape{int64(1 + m.IntN(2))}
	}
	if m.IntN(5) == 0 {
		o.dtype = tensor.Int64
	}
	if kind == "tensors" {
		o.tensors = []string{"t2", "t1"}[:1+m.IntN(2)]
	}
	m.objects = append(m.objects, o)
	return len(m.objects) - 1
}

// pick returns an object that edges may lead to.
func (m *graphMaker) pick() int {
	for {
		if i := m.IntN(len(m.objects)); !m.objects[i].isSlot {
			return i
		}
	}
}

// connect gives object i an edge more, if it can have one.
func (m *graphMaker) connect(i int) {
	o := &m.objects[i]
	to := m.pick()
	switch o.kind {
	case "variable", "state":
		return
	case "list", "dict":
		// Containers may not hold each other in a cycle: TensorFlow never
		// comes back from that.
		if k := m.objects[to].kind; to <= i && (k == "list" || k == "dict") {
			return
		}
	}
	name := restoreNames[m.IntN(len(restoreNames))]
	if o.kind == "list" {
		name = strconv.Itoa(len(o.edges))
	}
	if !hasEdge(o.edges, name) {
		o.edges = append(o.edges, graphs.Edge{Name: name, Object: to})
	}
}

func hasEdge(edges []graphs.Edge, name string) bool {
	return slices.ContainsFunc(edges, func(e graphs.Edge) bool { return e.Name == name })
}

// attach names an object of the Checkpoint: by the name of an edge, too.
func (m *graphMaker) attach(object int) {
	name := append([]string{"k", "l", "m"}, restoreNames[:3]...)[m.IntN(6)]
	if hasEdge(m.attached, name) {
		return
	}
	m.attached = append(m.attached, graphs.Edge{Name: name, Object: object})
}

func (m *graphMaker) addSlots(owner, n int) {
	for _, name := range []string{"m", "v"}[m.IntN(2):] {
		for v := range n {
			if m.objects[v].kind == "variable" && m.IntN(3) > 0 {
				value := m.add("variable")
				m.objects[value].isSlot = true
				m.objects[owner].slots = append(m.objects[owner].slots, slotOf{name, v, value})
			}
		}
	}
}

// clone returns a copy to mutate.
func (m *graphMaker) clone() *graphMaker {
	c := &graphMaker{Rand: m.Rand, root: m.root, attached: slices.Clone(m.attached)}
	for _, o := range m.objects {
		o.edges, o.tensors = slices.Clone(o.edges), slices.Clone(o.tensors)
		o.slots, o.lazy = slices.Clone(o.slots), slices.Clone(o.lazy)
		c.objects = append(c.objects, o)
	}
	return c
}

// mutate changes one thing.
func (m *graphMaker) mutate() {
	i := m.pick()
	o := &m.objects[i]
	switch m.IntN(13) {
	case 0, 1:
		m.connect(i)
	case 2:
		m.cut(i)
	case 3: // renamed
		if len(o.edges) > 0 && o.kind != "list" {
			if name := restoreNames[m.IntN(len(restoreNames))]; !hasEdge(o.edges, name) {
				o.edges[m.IntN(len(o.edges))].Name = name
			}
		}
	case 4: // two nodes become one
		m.retarget(i, m.pick())
	case 5: // one node becomes two
		if len(o.edges) > 0 {
			m.split(i)
		}
	case 6:
		if m.IntN(3) == 0 {
			o.shape = tensor.Shape{int64(m.IntN(4))}
		}
	case 7:
		if m.IntN(3) == 0 {
			o.dtype = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int64}[m.IntN(3)]
		}
	case 8: // another kind
		o.kind = map[string]string{"variable": "node", "node": "variable", "list": "dict", "tensors": "node", "state": "node"}[o.kind]
		m.tidyKind(i)
	case 9:
		o.edges = nil
	case 10:
		m.mutateSlots(i)
	case 11:
		m.attach(m.pick())
	case 12:
		if len(m.attached) > 1 {
			k := m.IntN(len(m.attached))
			m.attached = slices.Delete(m.attached, k, k+1)
		}
	}
}

func (m *graphMaker) tidyKind(i int) {
	o := &m.objects[i]
	switch {
	case o.kind == "":
		o.kind = "slots"
	case i == m.root:
		o.kind = "node"
	case o.kind == "variable":
		o.edges = nil
	}
}

// cut removes an edge: a list's last.
func (m *graphMaker) cut(i int) (graphs.Edge, bool) {
	o := &m.objects[i]
	if len(o.edges) == 0 {
		return graphs.Edge{}, false
	}
	k := m.IntN(len(o.edges))
	if o.kind == "list" {
		k = len(o.edges) - 1
	}
	e := o.edges[k]
	o.edges = slices.Delete(o.edges, k, k+1)
	return e, true
}

func (m *graphMaker) retarget(i, to int) {
	o := &m.objects[i]
	isContainer := func(k string) bool { return k == "list" || k == "dict" }
	if len(o.edges) == 0 || isContainer(o.kind) && isContainer(m.objects[to].kind) && to <= i {
		return
	}
	o.edges[m.IntN(len(o.edges))].Object = to
}

func (m *graphMaker) split(i int) {
	k := m.IntN(len(m.objects[i].edges))
	copied := m.objects[m.objects[i].edges[k].Object]
	if k := copied.kind; k == "slots" || (k == "list" || k == "dict") && len(copied.edges) > 0 {
		return // slots are nobody's twice; containers could come to hold each other
	}
	copied.edges = slices.Clone(copied.edges)
	m.objects = append(m.objects, copied)
	m.objects[i].edges[k].Object = len(m.objects) - 1
}

// mutateSlots lets a slot be gone, made when asked for, or made later.
func (m *graphMaker) mutateSlots(i int) {
	o := &m.objects[i]
	if len(o.slots) == 0 {
		return
	}
	k := m.IntN(len(o.slots))
	s := o.slots[k]
	o.slots = slices.Delete(o.slots, k, k+1)
	switch m.IntN(3) {
	case 0:
		o.lazy = append(o.lazy, s)
	case 1:
		m.late = append(m.late, restoreStep{Op: "slot", Parent: i, Name: s.name, Variable: s.variable, Object: s.value})
	}
}

// postpone makes an edge a step of its own.
func (m *graphMaker) postpone() {
	i := m.pick()
	if m.IntN(4) == 0 && m.root < 0 && len(m.attached) > 0 {
		k := m.IntN(len(m.attached))
		e := m.attached[k]
		m.attached = slices.Delete(m.attached, k, k+1)
		m.late = append(m.late, restoreStep{Op: "track", Parent: -1, Name: e.Name, Object: e.Object})
		return
	}
	late := func(s restoreStep) bool { return s.Op == "track" && s.Parent == i }
	if m.objects[i].kind == "list" && slices.ContainsFunc(m.late, late) {
		return // its elements come one after the other
	}
	if e, ok := m.cut(i); ok {
		m.late = append(m.late, restoreStep{Op: "track", Parent: i, Name: e.Name, Object: e.Object})
	}
}

// settle removes what TensorFlow refuses: attached objects of the root's names.
func (m *graphMaker) settle() {
	if m.root < 0 {
		return
	}
	m.attached = slices.DeleteFunc(m.attached, func(e graphs.Edge) bool {
		late := func(s restoreStep) bool { return s.Op == "track" && s.Parent == m.root && s.Name == e.Name }
		return hasEdge(m.objects[m.root].edges, e.Name) || slices.ContainsFunc(m.late, late)
	})
}

// graph describes what was made up, with fresh values.
func (m *graphMaker) graph(call string) *graphs.Graph {
	m.settle()
	g := &graphs.Graph{Name: "restore", Call: call, Saves: 1, Attached: m.attached}
	if m.root >= 0 {
		root := m.root
		g.Root = &root
	}
	raw := maker{Rand: m.Rand}
	for i, o := range m.objects {
		g.Objects = append(g.Objects, o.describe(i, &raw))
	}
	return g
}

func (o graphObject) describe(i int, raw *maker) graphs.Object {
	d := graphs.Object{Kind: o.kind}
	switch o.kind {
	case "list":
		ids := []int{}
		for _, e := range o.edges {
			ids = append(ids, e.Object)
		}
		d.Items = raw.raw(ids)
	case "dict":
		d.Items = raw.raw(append([]graphs.Edge{}, o.edges...))
	case "variable":
		v := o.value(raw)
		d.Value, d.FullName = &v, fmt.Sprintf("o%d", i)
	case "state":
		d.State = hex.EncodeToString(raw.bytes(3))
	case "tensors":
		for _, name := range o.tensors {
			d.Tensors = append(d.Tensors, graphs.NamedValue{Name: name, Value: o.value(raw)})
		}
	}
	if o.kind != "list" && o.kind != "dict" {
		d.Children = o.edges
	}
	d.Slots, d.Lazy = describeSlots(o.slots), describeSlots(o.lazy)
	return d
}

func (o graphObject) value(raw *maker) graphs.Value {
	shape := append(tensor.Shape{}, o.shape...)
	n := 1
	for _, side := range shape {
		n *= int(side)
	}
	return graphs.Value{DType: o.dtype.String(), Shape: shape, Value: hex.EncodeToString(raw.bytes(n * o.dtype.Size()))}
}

func describeSlots(slots []slotOf) []graphs.Slot {
	var all []graphs.Slot
	for _, s := range slots {
		i := slices.IndexFunc(all, func(g graphs.Slot) bool { return g.Name == s.name })
		if i < 0 {
			i = len(all)
			all = append(all, graphs.Slot{Name: s.name})
		}
		all[i].Pairs = append(all[i].Pairs, [2]int{s.variable, s.value})
	}
	return all
}

// named picks most of the variables.
func (m *graphMaker) named() []int {
	var ids []int
	for i, o := range m.objects {
		if o.kind == "variable" && m.IntN(8) > 0 {
			ids = append(ids, i)
		}
	}
	return ids
}

// newRestoreCase makes up a case; dir is where its checkpoints go.
func newRestoreCase(r *rand.Rand) *restoreCase {
	first := newGraph(r)
	c := new(restoreCase)
	skip := r.IntN(5) == 0
	restores := 1 + r.IntN(3)
	for i := range 1 + r.IntN(2) {
		m, call := first, []string{graphs.Write, graphs.Save}[r.IntN(2)]
		for range i * 3 {
			m = m.clone()
			m.mutate()
		}
		s := savedGraph{Graph: m.graph(call), Theirs: r.IntN(2) == 0}
		// TensorFlow restores slots by name even if they are to be skipped.
		if !skip && r.IntN(8) == 0 {
			s.Theirs, s.Named = true, m.named()
		}
		c.Saves = append(c.Saves, s)
	}
	here := first.clone()
	for range r.IntN(6) {
		here.mutate()
	}
	for i, o := range here.objects {
		if o.kind == "slots" && r.IntN(2) == 0 {
			here.mutateSlots(i)
		}
	}
	for range r.IntN(4) {
		here.postpone()
	}
	c.Here = here.graph(graphs.Save)
	c.Steps = here.late
	for range restores {
		s := restoreStep{Op: "restore", Save: r.IntN(len(c.Saves)), Skip: skip}
		// The counterparts, and now and then the other.
		if (c.Saves[s.Save].Graph.Call == graphs.Write) != (r.IntN(8) == 0) {
			s.Op = "read"
		}
		// Most often before what comes late.
		c.Steps = slices.Insert(c.Steps, min(r.IntN(len(c.Steps)+1), r.IntN(len(c.Steps)+1)), s)
	}
	return c
}
