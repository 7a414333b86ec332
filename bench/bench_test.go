package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// tiny is a plan that measures ours beside itself.
func tiny() plan {
	ours := []peerKind{{name: "ours"}}
	all := slices.DeleteFunc(cases(false), func(c trial) bool { return c.only != "" && c.name != "one loop, warm pages" })
	for i := range all {
		all[i].only = "" // so that ours is asked for all
	}
	return plan{
		{layout: layout{name: "200x5MiB", tensors: 3, elements: 1000}, peers: ours, rounds: 2, cases: all},
		{layout: layout{name: "small", tensors: 2, elements: 10, saves: 7}, peers: ours, rounds: 1, cases: []trial{smallSaves}},
	}
}

func begin(t *testing.T, ctx context.Context, dir string, progress io.Writer) *bench {
	t.Helper()
	b, err := newBench(ctx, &options{dir: dir}, progress)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestARunMeasuresEveryCaseAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	b := begin(t, t.Context(), dir, io.Discard)
	if err := b.run(t.Context(), tiny()); err != nil {
		t.Fatal(err)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("the run left %v", left)
	}
	if got, want := len(b.report.samples), 2*8+1; got != want {
		t.Errorf("%d samples, want %d", got, want)
	}
	for _, s := range b.report.samples {
		for _, m := range []measure{s.Ours, s.Theirs} {
			if m.Seconds <= 0 || m.Limit <= 0 || s.Op == "async" && (m.Stall <= 0 || m.Stall > m.Seconds) {
				t.Errorf("%s %s of %s took %+v", s.Op, s.Case, s.Layout, m)
			}
		}
	}
	checkTables(t, b.report)
	checkJSON(t, b.report)
}

func checkTables(t *testing.T, r *report) {
	t.Helper()
	var out bytes.Buffer
	r.write(&out)
	for _, want := range []string{"200x5MiB: save", "200x5MiB: restore", "200x5MiB: asynchronous", "small: small saves", "ckpt  flushed, cold pages", "ckpt  file on disk, in place", "ours  no flush, cold pages", "ckpt this tree, ours this tree"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func checkJSON(t *testing.T, r *report) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.json")
	if err := r.writeJSON(name); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Samples []sample }
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Samples, r.samples) {
		t.Errorf("samples of the file are %v, want %v", got.Samples, r.samples)
	}
}

// interrupter ends a context when something is written.
type interrupter context.CancelFunc

func (i interrupter) Write(b []byte) (int, error) {
	i()
	return len(b), nil
}

func TestAnInterruptedRunLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	b := begin(t, ctx, dir, interrupter(interrupt))
	if err := b.run(ctx, tiny()); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("run after an interrupt = %v, want interrupted", err)
	}
	_ = b.close() // says that the process was killed
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("the run left %v", left)
	}
}

func TestAPeerThatCannotBeStartedIsARow(t *testing.T) {
	b := begin(t, t.Context(), t.TempDir(), io.Discard)
	p := tiny()[:1]
	p[0].peers = []peerKind{{name: "nobody"}}
	if err := errors.Join(b.run(t.Context(), p), b.close()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b.report.write(&out)
	if want := "not measured: nobody on 200x5MiB: could not be installed"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

func TestADiskThatIsTooSmallIsRefused(t *testing.T) {
	err := roomFor(t.TempDir(), math.MaxInt64)
	if err == nil || !strings.Contains(err.Error(), "GiB free, and this needs") {
		t.Errorf("roomFor(everything) = %v, want what there is", err)
	}
}

func TestThePlanIsAllPeersOnTheFirstLayout(t *testing.T) {
	p, err := makePlan(&options{scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	if s := p[0]; len(s.peers) != len(peerKinds()) || s.rounds != 5 || s.fastest != 0 {
		t.Errorf("first stage has %d peers and %d rounds", len(s.peers), s.rounds)
	}
	for _, s := range p[1:3] {
		if len(s.peers) != 1 || s.peers[0].name != "tensorflow" || s.fastest != 2 || s.rounds != 3 {
			t.Errorf("stage of %s has peers %v and %d more, %d rounds", s.layout.name, s.peers, s.fastest, s.rounds)
		}
	}
	if got := p.space(); got != 20<<30 {
		t.Errorf("space() = %d, want 20 GiB", got)
	}
	if _, err := makePlan(&options{scale: 1, peers: "tensorflow,x"}); err == nil {
		t.Error("makePlan with a peer that does not exist succeeded")
	}
}

func TestTheFastestAreThoseOfFlushedSaves(t *testing.T) {
	r := newReport(t.TempDir(), &options{})
	for peer, took := range map[string]float64{"tensorflow": 1, "keras": 2, "torch": 3, "numpy": 4} {
		r.add(sample{Layout: "200x5MiB", Peer: peer, Op: "save", Case: "flushed, warm pages", Theirs: measure{Seconds: took}})
		r.add(sample{Layout: "200x5MiB", Peer: peer, Op: "save", Case: "no flush, warm pages", Theirs: measure{Seconds: -took}})
	}
	var got []string
	for _, k := range r.fastest(2, peerKinds()[:1]) {
		got = append(got, k.name)
	}
	if want := []string{"keras", "torch"}; !slices.Equal(got, want) {
		t.Errorf("fastest(2) = %v, want %v", got, want)
	}
}

func TestFiguresAndSpreads(t *testing.T) {
	for _, c := range []struct {
		f    float64
		n    int
		want string
	}{{0.5512, 3, "0.551"}, {0.0123, 2, "0.012"}, {12.34, 3, "12.3"}, {1234, 2, "1234"}, {0, 2, "0.0"}, {1, 3, "1.00"}} {
		if got := figures(c.f, c.n); got != c.want {
			t.Errorf("figures(%v, %d) = %s, want %s", c.f, c.n, got, c.want)
		}
	}
	for _, c := range []struct {
		values []float64
		want   spread
	}{{[]float64{3}, spread{3, 3, 3}}, {[]float64{4, 1, 2}, spread{2, 1, 4}}, {[]float64{4, 1, 2, 3}, spread{2.5, 1, 4}}} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("spreadOf(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}
