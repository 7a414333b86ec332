package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// titles of the tables, by operation, in the order they are printed.
var titles = []struct{ op, title, limit string }{
	{"save", "save", "raw O_DIRECT write of the same bytes, flushed"},
	{"load", "restore", "on disk: raw O_DIRECT read; in cache: one memory copy"},
	{"async", "asynchronous save: until training goes on", "one memory copy"},
	{"loop", "asynchronous save: seconds by which loops that compute are put back", "none"},
	{"small", "small saves in a row, each", "the flushes alone"},
}

// row is one line: what a peer, or ours, took in a case.
type row struct {
	who, how           string
	took, ofLimit      []float64
	slower, slowerThan []float64 // peers: than ours, and than ours in place
	cpu, peak          []float64
}

// write prints a table for each layout and operation.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s, %s\n", r.machine.text(), r.started.UTC().Format("2006-01-02 15:04"), r.ended.Sub(r.started).Round(time.Second))
	for _, l := range layouts() {
		for _, t := range titles {
			if rows := r.rows(l.name, t.op); len(rows) > 0 {
				fmt.Fprintf(w, "\n%s: %s (limit: %s)\n", l.name, t.title, t.limit)
				writeRows(w, rows, t.op == "load")
			}
		}
	}
	for _, f := range r.failures {
		fmt.Fprintf(w, "\nnot measured: %s on %s: %s\n", f.Peer, f.Layout, f.Reason)
	}
	var versions []string
	for peer, version := range r.versions {
		versions = append(versions, peer+" "+version)
	}
	slices.Sort(versions)
	fmt.Fprintf(w, "\n%s\n", strings.Join(versions, ", "))
}

// writeRows ignores the errors of a writer to a terminal.
func writeRows(w io.Writer, rows []*row, loads bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	title := "who\thow\tseconds [min..max]\tof limit\tours is faster by"
	if loads {
		title += "\tin place by"
	}
	fmt.Fprintln(t, title+"\tCPU s\tpeak MiB")
	for _, r := range rows {
		cells := []string{r.who, r.how, spreadOf(r.took).text(), median(r.ofLimit), times(r.slower)}
		if loads {
			cells = append(cells, times(r.slowerThan))
		}
		cells = append(cells, median(r.cpu), fmt.Sprintf("%.0f", spreadOf(r.peak).Median))
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	_ = t.Flush()
}

func median(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	return figures(spreadOf(values).Median, 2)
}

func times(ratios []float64) string {
	if len(ratios) == 0 {
		return "-"
	}
	return spreadOf(ratios).text() + " x"
}

// rows has ours first, for each case of ours that differs, and then the peers
// in the order they were measured.
func (r *report) rows(layout, op string) []*row {
	var ours, theirs []*row
	for _, s := range r.samples {
		if s.Layout != layout || s.Op != op {
			continue
		}
		place(&ours, "ckpt", oursHow(s)).add(s, s.Ours)
		their := place(&theirs, s.Peer, s.Case)
		their.add(s, s.Theirs)
		their.slower = append(their.slower, ratio(s, s.Ours))
		if s.InPlace != nil {
			place(&ours, "ckpt", s.Case+", in place").add(s, *s.InPlace)
			their.slowerThan = append(their.slowerThan, ratio(s, *s.InPlace))
		}
	}
	return append(ours, theirs...)
}

// oursHow is what differs between the cases for ours: whoever flushes what is no
// part of it.
func oursHow(s sample) string {
	switch s.Op {
	case "save":
		_, pages, _ := strings.Cut(s.Case, ", ")
		return "flushed, " + pages
	case "load":
		return s.Case + ", verified first"
	case "small":
		return "flushed"
	}
	return s.Case
}

// place returns the row of who and how, which it makes if there is none.
func place(rows *[]*row, who, how string) *row {
	i := slices.IndexFunc(*rows, func(r *row) bool { return r.who == who && r.how == how })
	if i < 0 {
		i = len(*rows)
		*rows = append(*rows, &row{who: who, how: how})
	}
	return (*rows)[i]
}

func (r *row) add(s sample, m measure) {
	took := m.took(s.Op)
	r.took = append(r.took, took)
	if s.Op != "loop" {
		r.ofLimit = append(r.ofLimit, m.Limit/took)
	}
	r.cpu = append(r.cpu, m.CPU)
	r.peak = append(r.peak, float64(m.Peak)/(1<<20))
}

// ratio is how many times as long as ours the peer took in a round. Less than
// 10 ms that loops lost is what the clock cannot see, and counts as so much.
func ratio(s sample, ours measure) float64 {
	if s.Op == "loop" {
		return max(s.Theirs.Lost, 0.01) / max(ours.Lost, 0.01)
	}
	return s.Theirs.took(s.Op) / ours.took(s.Op)
}
