// Package mdtable reads the tables in our own documents that tests hold
// against the code.
package mdtable

import "strings"

// Rows returns the cells of each row of the Markdown tables whose first header
// cell is head, trimmed, without header and rule.
func Rows(markdown, head string) [][]string {
	var rows [][]string
	inside := false
	for line := range strings.Lines(markdown) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 {
			inside = false
			continue
		}
		cells = cells[1 : len(cells)-1]
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		switch {
		case cells[0] == head:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "-"):
			rows = append(rows, cells)
		}
	}
	return rows
}
