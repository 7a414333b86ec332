// Package tfnames keeps README's table of TensorFlow names true: its test
// checks that each Go name exists, and that its doc comment names the
// TensorFlow original in the form "(TensorFlow: name)".
package tfnames

import (
	"regexp"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/mdtable"
)

// Row is one line of the table.
type Row struct {
	TensorFlow []string // the originals, such as tf.train.Checkpoint
	Go         []string // ours, such as checkpoint.Checkpoint or checkpoint.Manager.Save
}

var quoted = regexp.MustCompile("`([^`]+)`")

// Parse returns the rows of the Markdown table whose first header cell is
// "TensorFlow". Names stand in backquotes; a row without a Go name says in
// words why there is none.
func Parse(markdown string) []Row {
	var rows []Row
	for _, row := range mdtable.Rows(markdown, "TensorFlow") {
		rows = append(rows, Row{names(row[0]), names(row[1])})
	}
	return rows
}

func names(cell string) []string {
	var list []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

var original = regexp.MustCompile(`\(TensorFlow: ([^)]+)\)`)

// Originals returns the TensorFlow names that a doc comment gives.
func Originals(doc string) []string {
	var list []string
	for _, m := range original.FindAllStringSubmatch(strings.Join(strings.Fields(doc), " "), -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			name, _, _ = strings.Cut(name, "=") // "check_interval=False"
			list = append(list, strings.TrimSpace(name))
		}
	}
	return list
}
