package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

type showOptions struct{ tree, layout bool }

func (a *app) showCommand() *cobra.Command {
	var o showOptions
	c := &cobra.Command{
		Use:   "show PATH",
		Short: "Show what is in a checkpoint: tensors, objects or bytes",
		Long: `Show the tensors of a checkpoint: name, dtype, shape and size, sorted by name.
On a terminal, names of variables are shown without their common ending,
/.ATTRIBUTES/VARIABLE_VALUE.

--tree shows the objects instead, as the program that saved them saw them, with
the slots of its optimizers; an arrow leads to an object shown elsewhere.
--layout shows which bytes of which file are what.`,
		Example: `  ckpt show run-1
  ckpt show run-1/ckpt-7 --tree
  ckpt show run-1/ckpt-7 --json | jq -r '.tensors[] | select(.dtype == "float32").name'`,
		Args:              wantArgs(1, 1, "one PATH"),
		ValidArgsFunction: a.completeOnePath,
		RunE: func(c *cobra.Command, args []string) error {
			return a.show(c.Context(), args[0], o)
		},
	}
	c.Flags().BoolVarP(&o.tree, "tree", "t", false, "show the object graph")
	c.Flags().BoolVarP(&o.layout, "layout", "l", false, "show the bytes of the files")
	return c
}

func (a *app) show(ctx context.Context, path string, o showOptions) error {
	if o.tree && o.layout {
		return &usageError{"show: --tree and --layout exclude each other", "run 'ckpt help show'"}
	}
	return a.withCheckpoint(ctx, path, func(r *opened) error {
		switch {
		case o.tree:
			return a.showTree(r)
		case o.layout:
			return a.showLayout(r)
		}
		return a.showTensors(r)
	})
}

func (a *app) showTree(r *opened) error {
	g, err := trackable.ReadGraph(r)
	if errors.Is(err, format.ErrNoTensor) {
		return hintf(r.explain(err), "it was saved by names, as in TensorFlow 1; 'ckpt show' lists its tensors")
	}
	if err != nil {
		return r.explain(err)
	}
	if a.json {
		return a.printJSON(graphToJSON(r.name, g, r))
	}
	a.title(r)
	printTree(a.out, a.screen, g, r)
	return nil
}

// title says, to people, which checkpoint a table is about.
func (a *app) title(r *opened) {
	if a.screen.tty {
		fmt.Fprintln(a.out, a.screen.paint(bold, printable(r.name))+a.screen.paint(dim, "  "+r.Format()))
	}
}

type showJSON struct {
	Schema  int          `json:"schema"`
	Path    string       `json:"path"`
	Format  string       `json:"format"`
	Tensors []tensorJSON `json:"tensors"`
}

// tensorJSON is a tensor's entry. Bytes, shard, offset and crc32c are as the
// index has them, the last without its mask. A partitioned tensor has them in
// its slices, and bytes of all together; a V1 file has only bytes.
type tensorJSON struct {
	Name    string      `json:"name"`
	RawName string      `json:"name_base64,omitempty"`
	DType   string      `json:"dtype"`
	Shape   []int64     `json:"shape"`
	Bytes   int64       `json:"bytes"`
	Shard   *int        `json:"shard,omitempty"`
	Offset  *int64      `json:"offset,omitempty"`
	CRC32C  string      `json:"crc32c,omitempty"`
	Slices  []sliceJSON `json:"slices,omitempty"`
}

// sliceJSON is one part of a partitioned tensor.
type sliceJSON struct {
	Slice  string  `json:"slice"` // in TensorFlow's notation: "0,5:-"
	Shape  []int64 `json:"shape"`
	Bytes  int64   `json:"bytes"`
	Shard  int     `json:"shard"`
	Offset int64   `json:"offset"`
	CRC32C string  `json:"crc32c"`
}

func (a *app) showTensors(r *opened) error {
	names := slices.Sorted(slices.Values(r.Names()))
	j := showJSON{Schema: schema, Path: r.name, Format: r.Format(), Tensors: make([]tensorJSON, 0, len(names))}
	describe := r.tensorLine
	if a.json {
		describe = r.tensorJSON
	}
	for _, name := range names {
		t, err := describe(name)
		if err != nil {
			return err
		}
		j.Tensors = append(j.Tensors, t)
	}
	if a.json {
		return a.printJSON(j)
	}
	a.title(r)
	a.tensorTable(j).write(a.out, a.screen)
	if a.screen.tty {
		printTotals(a.out, a.screen, j)
	}
	return nil
}

func (a *app) tensorTable(j showJSON) *table {
	t := &table{columns: []column{{title: "NAME"}, {title: "DTYPE"}, {title: "SHAPE"}, {title: "SIZE", right: true}}}
	t.rows = make([][]cell, 0, len(j.Tensors))
	for _, v := range j.Tensors {
		t.add(tensorCell(v.Name), same(v.DType), same(tensor.Shape(v.Shape).String()), size(v.Bytes))
	}
	return t
}

// tensorCell is a name; people are spared the end that all variables have,
// which cat does not need either.
func tensorCell(name string) cell {
	c := same(name)
	c.text = printable(strings.TrimSuffix(name, variableValue))
	return c
}

// printTotals sums up. Parameters are all numbers, an optimizer's and
// counters among them; strings do not count.
func printTotals(w *bufio.Writer, s screen, j showJSON) {
	var bytes, parameters int64
	for _, v := range j.Tensors {
		bytes += v.Bytes
		n, err := tensor.Shape(v.Shape).NumElements()
		if d, known := tensor.ParseDType(v.DType); err == nil && known == nil && d.Size() > 0 {
			parameters += n
		}
	}
	line := fmt.Sprintf("%s, %s, %s", count(len(j.Tensors), "tensor"), count(int(parameters), "parameter"), humanSize(bytes))
	fmt.Fprintln(w, s.paint(dim, line))
}
