package cli

import (
	"bufio"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is rows of cells. People get aligned columns under titles; a pipe
// gets the cells' plain texts, separated by tabs, without titles, so that
// `cut` and `awk` need to know nothing of it.
type table struct {
	columns []column
	rows    [][]cell
}

type column struct {
	title string
	right bool // aligned right: numbers
}

// cell has a text for people and one for programs.
type cell struct {
	text  string
	plain string
	style style
}

// same is a cell that people and programs read alike. Its text comes from a
// file and is made printable.
func same(text string) cell {
	text = printable(text)
	return cell{text: text, plain: text}
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// write prints the table for the kind of reader s is.
func (t *table) write(w *bufio.Writer, s screen) {
	if !s.tty {
		t.writePlain(w)
		return
	}
	widths := t.widths()
	for i, c := range t.columns {
		t.pad(w, i, widths, c.title, s.paint(dim, c.title))
	}
	for _, row := range t.rows {
		for i, c := range row {
			t.pad(w, i, widths, c.text, s.paint(c.style, c.text))
		}
	}
}

// writePlain ignores write errors as w keeps them for Flush.
func (t *table) writePlain(w *bufio.Writer) {
	for _, row := range t.rows {
		for i, c := range row {
			if i > 0 {
				_ = w.WriteByte('\t')
			}
			_, _ = w.WriteString(c.plain)
		}
		_ = w.WriteByte('\n')
	}
}

func (t *table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	return widths
}

// pad writes one cell and what separates it from the next. painted is text
// with colour codes, which take no room.
func (t *table) pad(w *bufio.Writer, i int, widths []int, text, painted string) {
	fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
	last := i == len(t.columns)-1
	switch {
	case t.columns[i].right:
		_, _ = w.WriteString(fill + painted)
	case last:
		_, _ = w.WriteString(painted)
	default:
		_, _ = w.WriteString(painted + fill)
	}
	if last {
		_ = w.WriteByte('\n')
		return
	}
	_, _ = w.WriteString("  ")
}

// fit drops columns, the first of titles first, until the lines fit into width.
func (t *table) fit(width int, titles ...string) {
	for _, title := range titles {
		if width <= 0 || t.width() <= width {
			return
		}
		t.drop(title)
	}
}

// width is that of the longest line.
func (t *table) width() int {
	sum := 2 * (len(t.columns) - 1)
	for _, w := range t.widths() {
		sum += w
	}
	return sum
}

// drop takes a column away.
func (t *table) drop(title string) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.title == title })
	t.columns = slices.Delete(t.columns, i, i+1)
	for k, row := range t.rows {
		t.rows[k] = slices.Delete(row, i, i+1)
	}
}
