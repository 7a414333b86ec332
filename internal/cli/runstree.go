package cli

import (
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/experiment"
)

// runTree draws which run went on from which. Each run stands once, also when
// somebody edited the records into a circle.
type runTree struct {
	list  []experiment.Listing
	below map[string][]int // runs that went on from a run, by its name
	drawn map[int]bool
}

func newRunTree(list []experiment.Listing) *runTree {
	t := &runTree{list: list, below: make(map[string][]int), drawn: make(map[int]bool)}
	for i, l := range list {
		if l.Record.From != nil {
			t.below[l.Record.From.Run] = append(t.below[l.Record.From.Run], i)
		}
	}
	return t
}

func (t *runTree) print(a *app) {
	there := make(map[string]bool, len(t.list))
	for _, l := range t.list {
		there[l.Name] = true
	}
	for i, l := range t.list {
		if l.Record.From == nil || !there[l.Record.From.Run] {
			t.draw(a, i, "", "", 0)
		}
	}
	for i := range t.list { // what nothing leads to
		t.draw(a, i, "", "", 0)
	}
}

// draw prints a run behind mark, and those that went on from it after indent.
func (t *runTree) draw(a *app, i int, mark, indent string, depth int) {
	if t.drawn[i] {
		return
	}
	t.drawn[i] = true
	l := t.list[i]
	fmt.Fprintf(a.out, "%s%s%s\n", a.screen.paint(dim, mark), printable(l.Name), a.runLabel(l))
	below := t.below[l.Name]
	if depth == treeDepth && len(below) > 0 {
		fmt.Fprintf(a.out, "%s└─ ... deeper than %d; --json lists all\n", indent, treeDepth)
		t.hide(below)
		return
	}
	for n, k := range below {
		mark, bar := "├─ ", "│  "
		if n == len(below)-1 {
			mark, bar = "└─ ", "   "
		}
		t.draw(a, k, indent+mark, indent+bar, depth+1)
	}
}

// hide counts runs, and all that went on from them, as drawn.
func (t *runTree) hide(runs []int) {
	for todo := slices.Clone(runs); len(todo) > 0; todo = todo[1:] {
		if i := todo[0]; !t.drawn[i] {
			t.drawn[i] = true
			todo = append(todo, t.below[t.list[i].Name]...)
		}
	}
}

// runLabel is what stands beside a run's name in the tree.
func (a *app) runLabel(l experiment.Listing) string {
	label := "  " + a.screen.paint(statusCell(l).style, printable(statusText(l)))
	if newest := newestText(l); newest != "" {
		label += "  " + printable(newest)
	}
	if l.Record.From != nil {
		label += a.screen.paint(dim, printable("  from "+l.Record.From.String()))
	}
	return label
}
