//go:build interop

package interop

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/tensor"
)

// variableTypes are the types that TensorFlow has variables of.
var variableTypes = []tensor.DType{
	tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
	tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Bool, tensor.Complex64, tensor.Complex128,
	tensor.Float16, tensor.BFloat16, tensor.Float8E5M2, tensor.Float8E4M3FN, tensor.Float4E2M1FN,
	tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2, tensor.String,
}

// names of edges; any is legal but for ".ATTRIBUTES", which TensorFlow writes
// and cannot restore.
var edgeNames = []string{
	"a", "b", "kernel", "a/b", "a.b", ".", "/", "..", ".S", "x.Sy", "0", "1", "ünï", "with space",
	"A", "_private", ".OPTIMIZER_SLOT", "long_" + "name_name_name_name_name_name_name_name_name_name_name_name_name",
}

// maker makes up a description.
type maker struct {
	*rand.Rand
	g graphs.Graph
}

// randomGraph makes up a graph of all kinds of objects: shared ones, cycles
// among nodes, slots.
func randomGraph(r *rand.Rand) *graphs.Graph {
	m := &maker{Rand: r}
	n := 4 + m.IntN(20)
	kinds := []string{"node", "node", "node", "variable", "variable", "variable", "list", "dict", "tensors", "state", "slots"}
	for range n {
		m.g.Objects = append(m.g.Objects, m.object(kinds[m.IntN(len(kinds))]))
	}
	for i := range n {
		m.connect(i, n)
	}
	m.checkpoint(n)
	return &m.g
}

// object makes up an object without edges.
func (m *maker) object(kind string) graphs.Object {
	o := graphs.Object{Kind: kind}
	switch kind {
	case "variable":
		v := m.value(variableTypes[m.IntN(len(variableTypes))])
		o.Value, o.FullName = &v, fmt.Sprintf("scope%d/v", m.IntN(9))
	case "tensors":
		for i := range 1 + m.IntN(3) {
			v := m.value(variableTypes[m.IntN(len(variableTypes))])
			o.Tensors = append(o.Tensors, graphs.NamedValue{Name: fmt.Sprintf("t%d", 7-i), Value: v})
		}
	case "state":
		o.State = hex.EncodeToString(m.bytes(m.IntN(50)))
	}
	return o
}

// connect gives object i its edges to the first n.
func (m *maker) connect(i, n int) {
	o := &m.g.Objects[i]
	switch o.Kind {
	case "node", "tensors", "slots":
		o.Children = m.edges(0, n, 5)
		if o.Kind == "slots" {
			o.Slots = m.slots(n)
		}
	case "dict":
		o.Items = m.raw(m.edges(i+1, n, 5))
	case "list":
		// Containers may not hold each other in a cycle: TensorFlow never
		// comes back from that. Nil is an element that is not trackable.
		items := []*int{}
		for range m.IntN(5) {
			if i+1 >= n || m.IntN(5) == 0 {
				items = append(items, nil)
				continue
			}
			id := i + 1 + m.IntN(n-i-1)
			items = append(items, &id)
		}
		o.Items = m.raw(items)
	}
}

func (m *maker) raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // ids and names
	}
	return text
}

// edges makes up edges to objects of [from, to).
func (m *maker) edges(from, to, most int) []graphs.Edge {
	edges := []graphs.Edge{}
	if from >= to {
		return edges
	}
	names := m.Perm(len(edgeNames))
	for i := range m.IntN(most) {
		edges = append(edges, graphs.Edge{Name: edgeNames[names[i]], Object: from + m.IntN(to-from)})
	}
	return edges
}

// slots makes up slots for some of the variables; their values are objects of
// their own, after all others.
func (m *maker) slots(n int) []graphs.Slot {
	var slots []graphs.Slot
	for _, name := range []string{"m", "v/x", "momentum"}[m.IntN(3):] {
		s := graphs.Slot{Name: name, Pairs: [][2]int{}}
		for _, i := range m.Perm(n) {
			if m.g.Objects[i].Kind != "variable" || m.IntN(3) == 0 {
				continue
			}
			m.g.Objects = append(m.g.Objects, m.object("variable"))
			s.Pairs = append(s.Pairs, [2]int{i, len(m.g.Objects) - 1})
		}
		slots = append(slots, s)
	}
	return slots
}

// checkpoint makes up how the graph is saved.
func (m *maker) checkpoint(n int) {
	g := &m.g
	g.Name, g.Saves = "random", 1
	g.Call = []string{graphs.Write, graphs.Save, graphs.Manager}[m.IntN(3)]
	g.Attached = []graphs.Edge{}
	for i := range 1 + m.IntN(4) {
		g.Attached = append(g.Attached, graphs.Edge{Name: fmt.Sprintf("%c%d", "zZ_a"[i%4], m.IntN(10)), Object: m.IntN(n)})
	}
	for i, o := range g.Objects[:n] {
		if o.Kind == "node" && m.IntN(2) == 0 {
			g.Root = &i
			break
		}
	}
	if g.Call == graphs.Write {
		return
	}
	g.Saves = 1 + m.IntN(4)
	if keep := 1 + m.IntN(3); g.Call == graphs.Manager {
		g.MaxToKeep = &keep
	}
	// TensorFlow forgets what is assigned to a Checkpoint that has a root.
	if g.Root == nil && g.Saves > 1 {
		g.Late = []graphs.Edge{{Name: "late", Object: m.IntN(n)}, {Name: "early", Object: m.IntN(n)}}
	}
}

// value makes up a tensor: any bits, but for the types that use only some.
func (m *maker) value(d tensor.DType) graphs.Value {
	v := graphs.Value{DType: d.String(), Shape: tensor.Shape{}}
	n := 1
	for range m.IntN(4) {
		side := m.IntN(4)
		v.Shape = append(v.Shape, int64(side))
		n *= side
	}
	if d == tensor.String {
		for range n {
			v.Strings = append(v.Strings, hex.EncodeToString(m.bytes(m.IntN(300))))
		}
		return v
	}
	data := m.bytes(n * d.Size())
	for i := range data {
		data[i] &= used(d)
	}
	v.Value = hex.EncodeToString(data)
	return v
}

// used are the bits of a byte that a type uses.
func used(d tensor.DType) byte {
	switch d {
	case tensor.Bool:
		return 1
	case tensor.Int2, tensor.Uint2:
		return 3
	case tensor.Int4, tensor.Uint4, tensor.Float4E2M1FN:
		return 15
	}
	return 255
}

func (m *maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

// randomGraphs is how many graphs each test of them makes up.
const randomGraphs = 60

func eachRandomGraph(t *testing.T, f func(t *testing.T, g *graphs.Graph)) {
	t.Helper()
	for i := range randomGraphs {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			g := randomGraph(random(t))
			f(t, g)
			if t.Failed() {
				text, err := json.Marshal(g)
				t.Logf("graph: %s (%v)", text, err)
			}
		})
	}
}
