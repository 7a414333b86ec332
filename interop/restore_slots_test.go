//go:build interop

package interop

import (
	"fmt"
	"testing"

	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Objects of the cases below.
const (
	owner1 = iota
	owner2
	inner // leads to the variable
	variable1
	variable2
	slot1
	slot2
	top
)

// TestSlotsThatAreOneHereAreRestoredInTensorFlowsOrder restores several stored
// slots into one, which takes the value of the first of them or does not fit it.
// Random graphs rarely tell: the seed 396502694 did so in its 2623rd.
func TestSlotsThatAreOneHereAreRestoredInTensorFlowsOrder(t *testing.T) {
	var names []string
	var cases []*restoreCase
	for _, order := range [][3]string{{"a", "b", "c"}, {"a", "c", "b"}, {"c", "b", "a"}, {"b", "a", "c"}, {"c", "a", "b"}, {"b", "c", "a"}} {
		for _, attached := range []bool{false, true} {
			for _, keeps := range []int{slot1, slot2} {
				names = append(names, fmt.Sprintf("two owners and the variable are %v, attached %v, slot %d", order, attached, keeps))
				cases = append(cases, twoOwners(order, attached, keeps))
			}
		}
	}
	names = append(names, "an owner after its variables", "an owner tracked after its variables")
	cases = append(cases, lateOwner(false), lateOwner(true))
	for i, err := range compareRestores(t, cases) {
		if err != nil {
			t.Errorf("%s: %v", names[i], err)
		}
	}
}

// twoOwners are two that keep a slot each for one variable, and here are one.
func twoOwners(order [3]string, attached bool, keeps int) *restoreCase {
	saved, here := slotGraph(0x10), slotGraph(0x40)
	for _, g := range []*graphs.Graph{saved, here} {
		second := owner2
		if g == here {
			second = owner1
		}
		g.Attached = []graphs.Edge{{Name: order[0], Object: owner1}, {Name: order[1], Object: second}, {Name: order[2], Object: inner}}
		g.Objects[inner].Children = []graphs.Edge{{Name: "v", Object: variable1}}
		if attached {
			root := top
			g.Root = &root
		}
	}
	saved.Objects[owner1].Slots = []graphs.Slot{{Name: "m", Pairs: [][2]int{{variable1, slot1}}}}
	saved.Objects[owner2].Slots = []graphs.Slot{{Name: "m", Pairs: [][2]int{{variable1, slot2}}}}
	here.Objects[owner1].Slots = []graphs.Slot{{Name: "m", Pairs: [][2]int{{variable1, keeps}}}}
	return &restoreCase{Saves: []savedGraph{{Graph: saved}}, Here: here, Steps: []restoreStep{{Op: "read"}}}
}

// lateOwner keeps slots for two variables, which here are one that is found
// first in the place of the second; later leaves most of it to be tracked.
func lateOwner(later bool) *restoreCase {
	saved, here := slotGraph(0x10), slotGraph(0x40)
	root := top
	saved.Root, here.Root = &root, &root
	saved.Objects[top].Children = []graphs.Edge{{Name: "x", Object: variable1}, {Name: "y", Object: variable2}, {Name: "z", Object: inner}}
	here.Objects[top].Children = []graphs.Edge{{Name: "y", Object: variable1}, {Name: "z", Object: inner}}
	for _, g := range []*graphs.Graph{saved, here} {
		g.Objects[inner].Children = []graphs.Edge{{Name: "a", Object: variable1}, {Name: "d", Object: owner2}}
		g.Objects[owner2] = graphs.Object{Kind: "node", Children: []graphs.Edge{{Name: "owner", Object: owner1}}}
	}
	steps := []restoreStep{{Op: "read"}}
	if later {
		here.Objects[top].Children, here.Objects[inner].Children = here.Objects[top].Children[:1], here.Objects[inner].Children[:1]
		steps = append(steps, restoreStep{Op: "track", Parent: top, Name: "z", Object: inner}, restoreStep{Op: "track", Parent: inner, Name: "d", Object: owner2})
	}
	// Only y's fits, whose variable comes first.
	saved.Objects[owner1].Slots = []graphs.Slot{{Name: "m", Pairs: [][2]int{{variable1, slot1}, {variable2, slot2}}}}
	here.Objects[owner1].Slots = []graphs.Slot{{Name: "m", Pairs: [][2]int{{variable1, slot2}}}}
	return &restoreCase{Saves: []savedGraph{{Graph: saved}}, Here: here, Steps: steps}
}

// slotGraph returns the objects without edges; first tells the values of two apart.
func slotGraph(first int) *graphs.Graph {
	g := &graphs.Graph{Name: "slots", Call: graphs.Write, Saves: 1, Objects: make([]graphs.Object, top+1)}
	for i := range g.Objects {
		switch o := &g.Objects[i]; i {
		case owner1, owner2:
			o.Kind = "slots"
		case inner, top:
			o.Kind = "node"
		default:
			o.Kind, o.FullName = "variable", fmt.Sprintf("o%d", i)
			o.Value = &graphs.Value{DType: tensor.Float32.String(), Shape: tensor.Shape{}, Value: fmt.Sprintf("000000%02x", first+i)}
		}
	}
	two := g.Objects[slot2].Value
	two.Shape, two.Value = tensor.Shape{2}, two.Value+two.Value
	return g
}
