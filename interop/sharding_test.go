//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
)

// shardable is a tensor, or a slice of one, for either side's policy.
type shardable struct {
	Name  string       `json:"name"`
	Value graphs.Value `json:"value"`
	Start []int64      `json:"start"` // nil: no slice
	Full  []int64      `json:"full"`
}

// named returns t as a save has it.
func (s shardable) named(t *testing.T) format.Named {
	t.Helper()
	value, err := s.Value.Tensor()
	if err != nil {
		t.Fatal(err)
	}
	n := format.Named{Name: s.Name, Tensor: value}
	if s.Start != nil {
		n.Slice, n.Full = &tensor.Slice{Start: s.Start, Length: value.Shape()}, s.Full
	}
	return n
}

// TestMaxShardSizeMakesTensorFlowsLayouts asks both policies about the same
// random tensors.
func TestMaxShardSizeMakesTensorFlowsLayouts(t *testing.T) {
	r := random(t)
	compared, endless := 0, 0
	for i := range 400 {
		m := &maker{Rand: r}
		tensors := m.shardables()
		limit := int64(1 + m.IntN(200))
		theirs, err := ask[*[][]shardable](t, "max_shard_size", map[string]any{"tensors": tensors, "limit": limit})
		var list []sharding.Tensor
		for _, s := range tensors {
			d, err := sharding.Describe(s.named(t), 0)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, d)
		}
		layout, failed := sharding.Split(sharding.MaxShardSize(limit), list)
		if failed != nil {
			t.Fatalf("%d: Split() = %v", i, failed)
		}
		switch {
		case err != nil:
			t.Fatalf("%d: TensorFlow: %v", i, err)
		case theirs == nil:
			if endless++; len(layout.Warnings) == 0 {
				t.Errorf("%d: TensorFlow would not return, and ours warns of nothing: %+v, limit %d", i, tensors, limit)
			}
		default:
			compared++
			if got, want := layoutOf(layout), layoutOfTheirs(*theirs); got != want {
				t.Errorf("%d: limit %d of %+v: layout is\n%s, want\n%s", i, limit, tensors, got, want)
			}
		}
	}
	t.Logf("%d layouts are the same; in %d cases TensorFlow does not return", compared, endless)
	if compared < 100 {
		t.Errorf("only %d layouts could be compared", compared)
	}
}

// shardables makes up tensors and slices, and an object graph after them.
func (m *maker) shardables() []shardable {
	list := []shardable{}
	for i := range m.IntN(7) {
		s := shardable{Name: fmt.Sprint("t", i), Value: m.value(variableTypes[m.IntN(len(variableTypes))])}
		if unsliced(s.Value.DType) {
			s.Value = m.value(tensor.Float32)
		}
		if s.Value.DType == "string" {
			// TensorFlow cannot size strings of two or more dimensions, or none.
			s.Value.Shape = s.Value.Shape[:min(1, len(s.Value.Shape))]
			for i := range s.Value.Shape {
				s.Value.Shape[i]++
			}
			n, err := s.Value.Shape.NumElements()
			if err != nil {
				panic(err)
			}
			s.Value.Strings = []string{}
			for range n {
				s.Value.Strings = append(s.Value.Strings, strings.Repeat("61", m.IntN(40)))
			}
		}
		if shape := s.Value.Shape; len(shape) > 0 && !slices.Contains(shape, 0) && m.IntN(3) == 0 {
			for _, n := range shape {
				before, after := int64(m.IntN(4)), int64(m.IntN(4))
				s.Start = append(s.Start, before)
				s.Full = append(s.Full, before+n+after)
			}
		}
		list = append(list, s)
	}
	return append(list, shardable{Name: "_CHECKPOINTABLE_OBJECT_GRAPH", Value: graphs.Value{DType: "string", Shape: tensor.Shape{}, Strings: []string{""}}})
}

// layoutOf writes a layout without the tensors that have no elements, which
// TensorFlow drops.
func layoutOf(l *sharding.Layout) string {
	var text strings.Builder
	for _, shard := range l.Shards {
		var parts []string
		for _, p := range shard {
			if slices.Contains(p.Shape, 0) {
				continue
			}
			start := make([]int64, len(p.Shape))
			if p.Slice != nil {
				start = p.Slice.Start
			}
			parts = append(parts, fmt.Sprint(p.Name, " ", p.DType, " ", start, " ", []int64(p.Shape)))
		}
		if len(parts) > 0 {
			fmt.Fprintln(&text, strings.Join(parts, ", "))
		}
	}
	return text.String()
}

func layoutOfTheirs(shards [][]shardable) string {
	var text strings.Builder
	for _, shard := range shards {
		var parts []string
		for _, p := range shard {
			start := p.Start
			if start == nil {
				start = make([]int64, len(p.Value.Shape))
			}
			parts = append(parts, fmt.Sprint(p.Name, " ", p.Value.DType, " ", start, " ", []int64(p.Value.Shape)))
		}
		fmt.Fprintln(&text, strings.Join(parts, ", "))
	}
	return text.String()
}

// TestShardedSavesHaveTheSameBytes has both sides save one graph with one
// limit, and each restore what the other saved.
func TestShardedSavesHaveTheSameBytes(t *testing.T) {
	compared, read := 0, 0
	r := random(t)
	for i := range 80 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			g := randomGraph(r)
			if g.Call == graphs.Manager {
				g.Call = graphs.Save
			}
			g.MaxToKeep, g.Saves = nil, min(g.Saves, 2)
			m := &maker{Rand: r}
			limit := int64(1) << (4 + r.IntN(8))
			if i%4 != 0 {
				m.tame(g)
			}
			theirs, ours := t.TempDir(), t.TempDir()
			could, err := ask[bool](t, "save_sharded", map[string]any{"graph": g, "directory": theirs, "limit": limit})
			path := saveSharded(t, g, ours, limit)
			restore(t, g, ours)
			if restoreSlices(t, g, path) {
				read++
			}
			switch {
			case err != nil && i%4 != 0:
				t.Fatalf("TensorFlow: %v", err)
			case err == nil && could && !drops(g):
				compared++
				sameFiles(t, ours, theirs)
				restore(t, g, theirs)
			}
		})
	}
	t.Logf("%d saves have the same bytes, TensorFlow restored %d", compared, read)
	if compared < 40 || read < 20 {
		t.Errorf("only %d saves were compared, and %d restored by TensorFlow", compared, read)
	}
}

// restoreSlices is restoreByTensorFlow, and false where it knows no slices of
// a dtype (core/util/tensor_bundle/tensor_bundle.cc, GetSliceValue).
func restoreSlices(t *testing.T, g *graphs.Graph, path string) bool {
	t.Helper()
	_, err := ask[[][]graphs.Value](t, "restore_graph", map[string]any{"graph": g, "path": path, "read": g.Call == graphs.Write})
	if err != nil && regexp.MustCompile(`Dtype \w+ not supported`).MatchString(err.Error()) {
		return false
	}
	restoreByTensorFlow(t, g, path)
	return true
}

// tame replaces the values of which TensorFlow cannot make shards: those
// without elements, strings of two dimensions, types it cannot slice.
func (m *maker) tame(g *graphs.Graph) {
	fit := func(v graphs.Value) bool {
		return !unsliced(v.DType) && !slices.Contains(v.Shape, 0) && (v.DType != "string" || len(v.Shape) < 2)
	}
	fresh := func(v graphs.Value) graphs.Value {
		d, err := tensor.ParseDType(v.DType)
		for !fit(v) {
			if v = m.value(d); err != nil || v.DType != "string" && !fit(v) {
				v = m.value(tensor.Float32)
			}
		}
		return v
	}
	for i := range g.Objects {
		o := &g.Objects[i]
		if o.Value != nil {
			v := fresh(*o.Value)
			o.Value = &v
		}
		for j := range o.Tensors {
			o.Tensors[j].Value = fresh(o.Tensors[j].Value)
		}
	}
}

// saveSharded saves as TensorFlow is asked to.
func saveSharded(t *testing.T, g *graphs.Graph, dir string, limit int64) string {
	t.Helper()
	b := build(t, g)
	c := checkpoint.New(b.Root(), b.Attached(), &checkpoint.Options{Sharding: sharding.MaxShardSize(limit)})
	place, path := local.Dir(dir), "ckpt"
	for i := range g.Saves {
		if i == 1 {
			for _, late := range b.Late() {
				c.Track(late.Name, late.Object)
			}
		}
		var err error
		if g.Call == graphs.Write {
			err = c.Write(context.Background(), place, "ckpt")
		} else {
			path, err = c.Save(context.Background(), place, "ckpt")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, path)
}

// unsliced reports whether TensorFlow has no kernel to slice a dtype.
func unsliced(d string) bool {
	return slices.Contains([]string{"int4", "uint4", "int2", "uint2", "float4_e2m1fn"}, d)
}

// drops reports whether TensorFlow would drop tensors of a graph, as they have
// no elements.
func drops(g *graphs.Graph) bool {
	for _, o := range g.Objects {
		if o.Value != nil && slices.Contains(o.Value.Shape, 0) {
			return true
		}
		for _, v := range o.Tensors {
			if slices.Contains(v.Value.Shape, 0) {
				return true
			}
		}
	}
	return false
}

// TestTensorFlowRestoresWhatWorkersSave has three workers save a random graph,
// and TensorFlow restore it.
func TestTensorFlowRestoresWhatWorkersSave(t *testing.T) {
	r := random(t)
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			g := randomGraph(r)
			(&maker{Rand: r}).tame(g)
			g.Call, g.Saves, g.MaxToKeep, g.Late = graphs.Write, 1, nil, nil
			dir := t.TempDir()
			var workers sync.WaitGroup
			for _, group := range coordinator.InProcess(3) {
				b := build(t, g)
				c := checkpoint.New(b.Root(), b.Attached(), &checkpoint.Options{Workers: group})
				workers.Go(func() {
					if err := c.Write(context.Background(), local.Dir(dir), "ckpt"); err != nil {
						t.Errorf("worker %d: Write() = %v", group.Rank(), err)
					}
				})
			}
			workers.Wait()
			restore(t, g, dir)
			restoreByTensorFlow(t, g, filepath.Join(dir, "ckpt"))
		})
	}
}

var dataFile = regexp.MustCompile(`\.data-\d{5}-of-(\d{5})$`)

// TestShardedSavesHaveSeveralFiles: else the test before would prove little.
func TestShardedSavesHaveSeveralFiles(t *testing.T) {
	g := &graphs.Graph{Name: "two", Call: graphs.Write, Saves: 1, Attached: []graphs.Edge{{Name: "v", Object: 0}}, Objects: []graphs.Object{{
		Kind: "variable", FullName: "v", Value: &graphs.Value{DType: "float32", Shape: tensor.Shape{5, 5}, Value: strings.Repeat("00", 100)},
	}}}
	theirs, ours := t.TempDir(), t.TempDir()
	if !must[bool](t, "save_sharded", map[string]any{"graph": g, "directory": theirs, "limit": 44}) {
		t.Fatal("TensorFlow cannot")
	}
	saveSharded(t, g, ours, 44)
	sameFiles(t, ours, theirs)
	entries, err := os.ReadDir(theirs)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if m := dataFile.FindStringSubmatch(e.Name()); m != nil && m[1] == "00003" {
			n++
		}
	}
	if n != 3 {
		t.Errorf("TensorFlow has written %d files, want 3", n)
	}
}
