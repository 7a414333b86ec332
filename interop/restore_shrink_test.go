//go:build interop

package interop

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/interop/graphs"
)

// mostShrinks is how many smaller cases are tried.
const mostShrinks = 200

// shrinkRestore takes out of a case what it differs without.
func shrinkRestore(t *testing.T, c *restoreCase, err error) (*restoreCase, error) {
	t.Helper()
	for tries := 0; tries < mostShrinks; {
		smaller := false
		for i := 0; tries < mostShrinks; i++ {
			next, more := without(t, c, i)
			if !more {
				break
			}
			tries++
			if e := compareRestores(t, []*restoreCase{next})[0]; e != nil {
				c, err, smaller = next, e, true
				i--
			}
		}
		if !smaller {
			break
		}
	}
	return c, err
}

// without returns a copy of a case that lacks its part i: a step, or an edge or
// slot of a graph.
func without(t *testing.T, c *restoreCase, i int) (*restoreCase, bool) {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	next := new(restoreCase)
	if err := json.Unmarshal(text, next); err != nil {
		t.Fatal(err)
	}
	if i < len(next.Steps) {
		next.Steps = slices.Delete(next.Steps, i, i+1)
		return next, true
	}
	i -= len(next.Steps)
	for j := range next.Saves {
		if cutOne(&next.Saves[j].Named, &i) {
			return next, true
		}
	}
	all := []*graphs.Graph{next.Here}
	for _, s := range next.Saves {
		all = append(all, s.Graph)
	}
	for _, g := range all {
		if cut(t, g, &i) {
			return next, true
		}
	}
	return nil, false
}

// cut removes part i of a graph; if it has fewer, they are counted.
func cut(t *testing.T, g *graphs.Graph, i *int) bool {
	if cutOne(&g.Attached, i) {
		return true
	}
	for j := range g.Objects {
		o := &g.Objects[j]
		if cutOne(&o.Children, i) || cutOne(&o.Slots, i) || cutOne(&o.Lazy, i) || o.Items != nil && cutItem(t, o, i) {
			return true
		}
	}
	return false
}

func cutOne[E any](list *[]E, i *int) bool {
	if *i < len(*list) {
		*list = slices.Delete(*list, *i, *i+1)
		return true
	}
	*i -= len(*list)
	return false
}

func cutItem(t *testing.T, o *graphs.Object, i *int) bool {
	var items []json.RawMessage
	if err := json.Unmarshal(o.Items, &items); err != nil {
		t.Fatal(err)
	}
	if !cutOne(&items, i) {
		return false
	}
	text, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	o.Items = text
	return true
}
