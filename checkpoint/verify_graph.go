package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// graph reads the object graph, in which a reference that leads nowhere is an
// error, and looks for the tensors it names. What TensorFlow 1 saved has none.
func (v *verifier) graph(ctx context.Context) error {
	g, err := trackable.ReadGraph(v.r)
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, format.ErrNoTensor) {
		return nil
	}
	if err != nil {
		v.tell(trackable.GraphKey, 0, err)
		return nil
	}
	missing, names := 0, slices.Sorted(slices.Values(v.r.Names()))
	for i, n := range g.Nodes {
		for _, a := range n.Attributes {
			if isStored(names, a.Key) {
				continue
			}
			v.tell(a.Key, 0, fmt.Errorf("object graph: %s of %s, %s, is not stored: %w", a.Name, g.Path(i), a.Key, format.ErrCorrupt))
			if missing++; missing == maxMissing {
				return nil
			}
		}
	}
	return nil
}

// isStored reports whether a sorted list of names has a key, or names that
// begin with it: objects of the old kind store several tensors under one
// attribute, "ITERATOR-0" or "table-keys" (TensorFlow: SaveSpec, in
// training/saving/saveable_object.py).
func isStored(names []string, key string) bool {
	i, _ := slices.BinarySearch(names, key)
	return i < len(names) && strings.HasPrefix(names[i], key)
}
