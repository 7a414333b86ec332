package transfer

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Rename returns src with its tensors under the names that rename gives them;
// "" leaves a tensor out. If src has an object graph, that names the new keys,
// and objects restore from it as before, without what was left out. Two
// tensors of one name are an error.
func Rename(src format.Source, rename func(name string) string) (format.Source, error) {
	d := newDerived(src)
	graph := false
	for _, name := range src.Names() {
		if name == trackable.GraphKey {
			graph = true
			continue
		}
		to := rename(name)
		if to == "" {
			continue
		}
		if err := d.add(to, name); err != nil {
			return nil, fmt.Errorf("rename: %s: %w", name, err)
		}
	}
	if !graph {
		return d, nil
	}
	g, err := readGraph(src)
	if err != nil {
		return nil, fmt.Errorf("rename: %w", err)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		kept := n.Attributes[:0]
		for _, a := range n.Attributes {
			if a.CheckpointKey = rename(a.CheckpointKey); a.CheckpointKey != "" {
				kept = append(kept, a)
			}
		}
		n.Attributes = kept
	}
	return d, d.putGraph(g)
}

// FullNames returns the tensors of an object-based checkpoint under their full
// names, "dense/kernel", which is how TensorFlow 1 would have stored them:
// those without a full name, the save counter among them, are left out.
// Another checkpoint is returned as it is. (TensorFlow: object_graph_key_mapping)
func FullNames(src format.Source) (format.Source, error) {
	keys, err := fullNames(src)
	if err != nil || keys == nil {
		return src, err
	}
	d := newDerived(src)
	names := make(map[string]string, len(keys))
	for _, name := range slices.Sorted(maps.Keys(keys)) { // of several for one key always the same
		names[keys[name]] = name
	}
	for _, key := range src.Names() {
		if name, ok := names[key]; ok {
			if err := d.add(name, key); err != nil {
				return nil, fmt.Errorf("full names: %w", err)
			}
		}
	}
	return d, nil
}

// fullNames maps full names to keys, nil for a checkpoint without graph. A
// name that two tensors have means neither.
func fullNames(src format.Source) (map[string]string, error) {
	g, err := trackable.ReadGraph(src)
	if errors.Is(err, format.ErrNoTensor) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys := make(map[string]string)
	twice := make(map[string]bool)
	for _, n := range g.Nodes {
		for _, a := range n.Attributes {
			if key, have := keys[a.FullName]; have && key != a.Key {
				twice[a.FullName] = true
			}
			keys[a.FullName] = a.Key
		}
	}
	delete(keys, "")
	for name := range twice {
		delete(keys, name)
	}
	return keys, nil
}
