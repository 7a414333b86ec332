package cli

import (
	"bufio"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// treeDepth is how deep the tree is drawn. A line is as long as the node is
// deep, so a damaged graph that is one long chain would print its square.
const treeDepth = 100

// tree draws an object graph. Each object stands in full once, where the
// shortest way leads to it; other ways to it, cycles too, are arrows.
type tree struct {
	*routes
	w   *bufio.Writer // keeps write errors until it is flushed
	s   screen
	src format.Source
}

// item is one line below a node.
type item struct {
	label string
	node  int // that the line leads to, or leaf
	here  bool
}

const leaf = -1

func printTree(w *bufio.Writer, s screen, g *trackable.Graph, src format.Source) {
	t := &tree{routes: findRoutes(g), w: w, s: s, src: src}
	fmt.Fprintf(w, "(root)%s\n", t.value(0))
	t.below(0, "", 0)
	lost := 0
	for _, b := range t.first[1:] {
		if b.node == leaf {
			lost++
		}
	}
	if lost > 0 {
		fmt.Fprintf(w, "%s cannot be reached from the root; --json lists all\n", count(lost, "object"))
	}
}

// below draws what is under a node.
func (t *tree) below(id int, indent string, depth int) {
	items := t.items(id)
	if depth == treeDepth && len(items) > 0 {
		fmt.Fprintf(t.w, "%s└─ ... deeper than %d; --json lists all\n", indent, treeDepth)
		return
	}
	for i, it := range items {
		mark, bar := "├─ ", "│  "
		if i == len(items)-1 {
			mark, bar = "└─ ", "   "
		}
		fmt.Fprintf(t.w, "%s%s\n", t.s.paint(dim, indent+mark), it.label)
		if it.here {
			t.below(it.node, indent+bar, depth+1)
		}
	}
}

// items are a node's own tensors (but for a variable's value, which stands
// beside its name), its children and its slots.
func (t *tree) items(id int) []item {
	n := t.g.Nodes[id]
	var items []item
	for _, at := range n.Attributes {
		if !isValue(at) || len(n.Attributes) > 1 {
			items = append(items, item{label: printable(at.Name) + t.tensor(at), node: leaf})
		}
	}
	for i, c := range n.Children {
		items = append(items, t.item(printable(c.Name), c.Node, branch{id, i, false}))
	}
	for i, s := range n.Slots {
		label := printable(fmt.Sprintf("slot %s of %s", s.Name, t.path(s.Variable)))
		items = append(items, t.item(label, s.Node, branch{id, i, true}))
	}
	return items
}

func (t *tree) item(label string, to int, b branch) item {
	if t.first[to] == b {
		return item{label: label + t.value(to), node: to, here: true}
	}
	return item{label: label + t.s.paint(dim, " → "+printable(t.path(to))), node: to}
}

// value returns dtype and shape of a variable, and nothing of other nodes.
func (t *tree) value(id int) string {
	n := t.g.Nodes[id]
	if len(n.Attributes) == 1 && isValue(n.Attributes[0]) {
		return t.tensor(n.Attributes[0])
	}
	if n.Saver != "" {
		return t.s.paint(dim, "  saved by "+printable(n.Saver))
	}
	return ""
}

func isValue(t trackable.StoredTensor) bool { return t.Name == trackable.VariableValue }

// tensor describes a tensor. A graph may name one that is not stored.
func (t *tree) tensor(at trackable.StoredTensor) string {
	info, err := t.src.Info(at.Key)
	if err != nil {
		return t.s.paint(yellow, "  not stored")
	}
	return t.s.paint(green, "  "+info.DType.String()) + " " + info.Shape.String()
}
