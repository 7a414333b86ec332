package cli

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ckpt-dev/ckpt/tensor"
)

// How numpy shortens what it prints (numpy.set_printoptions): an array of more
// elements than the threshold shows this many at each end of a dimension, and
// a row goes on in the next line at the line width.
const (
	textThreshold = 1000
	textEdge      = 3
	textLine      = 75
	textString    = 4096 // bytes shown of one string
)

// textPrinter prints an array in the notation of Python lists, a row a line.
// Its methods ignore write errors: w keeps them until it is flushed.
type textPrinter struct {
	w      *bufio.Writer
	nest   *nest
	gaps   []bool // of each dimension: elements are left out after textEdge
	width  int    // of each element
	column int
}

// rank is the number of brackets around an element.
func (p *textPrinter) rank() int { return len(p.nest.shape) }

// element prints the next element, and what stands before it.
func (p *textPrinter) element(text string) {
	first, turned := p.nest.next()
	switch {
	case first:
		p.write(strings.Repeat("[", p.rank()))
	case turned > 0:
		p.turn(turned)
	default:
		p.separate(len(text))
	}
	if pad := p.width - utf8.RuneCountInString(text); pad > 0 {
		p.write(strings.Repeat(" ", pad))
	}
	p.write(text)
}

// turn ends a row and begins the next; higher dimensions are set apart by
// empty lines, one for each.
func (p *textPrinter) turn(turned int) {
	p.write(strings.Repeat("]", turned) + ",")
	indent := strings.Repeat(" ", p.rank()-turned)
	if p.atGap(turned) {
		p.newline(turned, indent)
		p.write("...,")
	}
	p.newline(turned, indent)
	p.write(strings.Repeat("[", turned))
}

// separate stands between two elements of a row.
func (p *textPrinter) separate(size int) {
	p.write(",")
	if p.atGap(0) {
		p.write(" ...,")
	}
	if p.column+1+max(size, p.width)+1 > textLine {
		p.newline(1, strings.Repeat(" ", p.rank()))
		return
	}
	p.write(" ")
}

func (p *textPrinter) atGap(turned int) bool {
	dim, to := p.nest.moved(turned)
	return p.gaps != nil && p.gaps[dim] && to == textEdge
}

func (p *textPrinter) newline(n int, indent string) {
	p.write(strings.Repeat("\n", n) + indent)
	p.column = len(indent)
}

func (p *textPrinter) write(s string) {
	p.column += utf8.RuneCountInString(s)
	_, _ = p.w.WriteString(s)
}

// end closes the brackets.
func (p *textPrinter) end() { p.write(strings.Repeat("]", p.rank()) + "\n") }

// elementText returns element i as text. Unless everything was asked for, a
// long string is cut.
func elementText(t tensor.Tensor, i int64, all bool) string {
	if t.DType().Size() > 0 || all {
		return t.Format(i)
	}
	elems, err := t.Strings()
	if err != nil || len(elems[i]) <= textString {
		return t.Format(i)
	}
	head, err := tensor.FromStrings(nil, []string{elems[i][:textString]})
	if err != nil {
		return t.Format(i)
	}
	return fmt.Sprintf("%s... (%d bytes)", head.Format(0), len(elems[i]))
}

// printText prints the array a as numpy would; with all, every element.
func printText(w *bufio.Writer, a *array, all bool) error {
	count, err := a.shape.NumElements()
	if err != nil {
		return err
	}
	if count == 0 {
		_, _ = w.WriteString("[]\n")
		return nil
	}
	p := &textPrinter{w: w, nest: newNest(a.shape)}
	if count > textThreshold && !all {
		if a, p.gaps, err = a.edges(textEdge); err != nil {
			return err
		}
		p.nest = newNest(a.shape)
	}
	// Two passes, so that columns line up without holding what is printed.
	widest := func(s string) { p.width = max(p.width, utf8.RuneCountInString(s)) }
	if a.dtype.Size() > 0 {
		if err := a.each(w, all, widest); err != nil {
			return err
		}
	}
	if err := a.each(w, all, p.element); err != nil {
		return err
	}
	p.end()
	return nil
}
