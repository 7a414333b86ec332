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
	{"small", "small saves in a row, each", "the flushes alone"},
}

// row is one line: what a peer, or ours, took in a case.
type row struct {
	who, how                            string
	seconds, ofLimit, slower, cpu, peak []float64
}

// write prints a table for each layout and operation.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s, %s\n", r.machine.text(), r.started.UTC().Format("2006-01-02 15:04"), r.ended.Sub(r.started).Round(time.Second))
	for _, l := range layouts() {
		for _, t := range titles {
			if rows := r.rows(l.name, t.op); len(rows) > 0 {
				fmt.Fprintf(w, "\n%s: %s (limit: %s)\n", l.name, t.title, t.limit)
				writeRows(w, rows)
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
func writeRows(w io.Writer, rows []*row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "who\thow\tseconds [min..max]\tof limit\tours is faster by\tCPU s\tpeak MiB")
	for _, r := range rows {
		slower := "-"
		if len(r.slower) > 0 {
			slower = spreadOf(r.slower).text() + " x"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%.0f\n", r.who, r.how, spreadOf(r.seconds).text(),
			figures(spreadOf(r.ofLimit).Median, 2), slower, figures(spreadOf(r.cpu).Median, 2), spreadOf(r.peak).Median)
	}
	_ = t.Flush()
}

// rows has ours first, for each case of ours that differs, and then the peers
// in the order they were measured.
func (r *report) rows(layout, op string) []*row {
	var ours, theirs []*row
	for _, s := range r.samples {
		if s.Layout != layout || s.Op != op {
			continue
		}
		add(&ours, s, s.Ours, "ckpt", oursHow(s), false)
		add(&theirs, s, s.Theirs, s.Peer, s.Case, true)
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
	case "small":
		return "flushed"
	}
	return s.Case
}

// add puts a measurement into its row.
func add(rows *[]*row, s sample, m measure, who, how string, ratio bool) {
	i := slices.IndexFunc(*rows, func(r *row) bool { return r.who == who && r.how == how })
	if i < 0 {
		i = len(*rows)
		*rows = append(*rows, &row{who: who, how: how})
	}
	r := (*rows)[i]
	took, ours := m.Seconds, s.Ours.Seconds
	if s.Op == "async" {
		took, ours = m.Stall, s.Ours.Stall
	}
	r.seconds = append(r.seconds, took)
	r.ofLimit = append(r.ofLimit, m.Limit/took)
	r.cpu = append(r.cpu, m.CPU)
	r.peak = append(r.peak, float64(m.Peak)/(1<<20))
	if ratio {
		r.slower = append(r.slower, took/ours)
	}
}
