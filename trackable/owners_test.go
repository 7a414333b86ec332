package trackable_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

func TestOwnersAreTheObjectsWithTensors(t *testing.T) {
	w := &trackable.Variable[float32]{Name: "dense/w"} // without value
	root := tree("dense", tree("w", w, "a/b", scalar(1)), "again", w)
	owners, err := trackable.Owners(root, []trackable.Child{{Name: "more", Object: scalar(2)}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range owners {
		got = append(got, fmt.Sprint(o.Path, " ", o.Key, " ", o.Tensors[0].FullName, " ", o.Slot))
	}
	want := []string{"(root).again again dense/w false", "(root).more more  false", "(root).dense.a/b dense/a.Sb  false"}
	if slices.Sort(got); !slices.Equal(got, []string{want[0], want[2], want[1]}) {
		t.Errorf("Owners() = %q, want %q", got, want)
	}
	if _, err := trackable.Owners(&refusing{}, []trackable.Child{{Name: "x"}}); err == nil {
		t.Error("Owners() with a nil child = nil, want an error")
	}
}
