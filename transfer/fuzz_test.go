package transfer_test

import (
	"errors"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/ckpt-dev/ckpt/transfer"
)

// FuzzSubtree: whatever a file has for an object graph, a subtree of it is a
// graph again, or an error.
func FuzzSubtree(f *testing.F) {
	model, _, _ := trained(1)
	for n, err := range trackable.Save(model, nil) {
		if err != nil {
			f.Fatal(err)
		}
		if n.Name == trackable.GraphKey {
			text, err := n.Tensor.Strings()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text[0], "net", "enc")
			f.Add(text[0][:len(text[0])/2], "head", "shared")
		}
	}
	f.Fuzz(func(t *testing.T, graph, first, second string) {
		src := newMemory()
		g, err := tensor.FromStrings(nil, []string{graph})
		if err != nil {
			t.Fatal(err)
		}
		src.set(trackable.GraphKey, g)
		_, whole := trackable.ReadGraph(src)
		for _, path := range [][]string{nil, {first}, {first, second}} {
			part, err := transfer.Subtree(src, path...)
			if err != nil {
				if path == nil && whole == nil {
					t.Errorf("Subtree() = %v, want nil", err)
				}
				continue
			}
			if _, err := trackable.ReadGraph(part); err != nil {
				t.Errorf("ReadGraph of the subtree %q = %v, want nil", path, err)
			}
		}
		renamed, err := transfer.Rename(src, func(name string) string { return name + "x" })
		if (err == nil) != (whole == nil) {
			t.Fatalf("Rename = %v, ReadGraph = %v, want both nil or neither", err, whole)
		}
		if err == nil {
			_, err = trackable.ReadGraph(renamed)
		}
		if err != nil && !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("error = %v, want format.ErrCorrupt", err)
		}
	})
}
