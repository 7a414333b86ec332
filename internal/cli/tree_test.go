package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// saved writes a checkpoint of the objects and returns its path.
func saved(t *testing.T, objects checkpoint.Objects) string {
	t.Helper()
	dir := t.TempDir()
	if err := checkpoint.New(nil, objects, nil).Write(t.Context(), local.Dir(dir), "ckpt"); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "ckpt")
}

func TestCyclesAreArrows(t *testing.T) {
	a, b := new(trackable.Node), new(trackable.Node)
	a.Track("b", b).Track("self", a)
	b.Track("a", a).Track("n", trackable.NewScalar("n", int32(1)))
	want := `(root)
└─ a
   ├─ b
   │  ├─ a → (root).a
   │  └─ n  int32 []
   └─ self → (root).a
`
	if got := ok(t, "show", "--tree", saved(t, checkpoint.Objects{"a": a})); got != want {
		t.Errorf("tree =\n%s\nwant\n%s", got, want)
	}
}

func TestADeepGraphIsCutAndStaysSmall(t *testing.T) {
	const depth = 2000
	root := new(trackable.Node)
	for n := root; len(n.TrackableChildren()) == 0; {
		for range depth {
			next := new(trackable.Node)
			n.Track("child", next)
			n = next
		}
		n.Track("end", trackable.NewScalar("end", int32(1)))
	}
	path := saved(t, checkpoint.Objects{"top": root})
	tree := ok(t, "show", "--tree", path)
	if lines := strings.Count(tree, "\n"); lines != 102 || !strings.Contains(tree, "└─ ... deeper than 100; --json lists all\n") {
		t.Errorf("the tree of a chain of %d has %d lines, want 102, and a word about the rest", depth, lines)
	}
	text := ok(t, "show", "--tree", "--json", path)
	if len(text) > 300*depth || !strings.Contains(text, `"path":"(object 1999)"`) {
		t.Errorf("the JSON of a chain of %d has %d bytes, want all objects and no long paths", depth, len(text))
	}
}

// group is an object of several tensors, one of which is a table's.
type group struct{ trackable.Node }

func (*group) SerializeToTensors() ([]trackable.Attribute, error) {
	keys, err := tensor.FromStrings(tensor.Shape{1}, []string{"k"})
	if err != nil {
		return nil, err
	}
	values, err := tensor.New(tensor.Shape{1}, []int64{1})
	return []trackable.Attribute{{Name: "keys", Tensor: keys}, {Name: "values\x1b", Tensor: values}}, err
}

func (*group) RestoreFromTensors(map[string]tensor.Tensor) error { return nil }

func TestObjectsOfSeveralTensorsListThem(t *testing.T) {
	want := `(root)
└─ evil\x1bname
   ├─ keys  string [1]
   └─ values\x1b  int64 [1]
`
	path := saved(t, checkpoint.Objects{"evil\x1bname": new(group)})
	if got := ok(t, "show", "--tree", path); got != want {
		t.Errorf("tree =\n%s\nwant\n%s", got, want)
	}
}
