package callbacks

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is how a number is written: the part of Python's format specification
// that ints and floats have, without what depends on a locale.
//
//	[[fill]align][sign][z][#][0][width][grouping][.precision][type]
type spec struct {
	fill      rune
	align     byte // '<', '>', '^' or '='; 0: the default
	sign      byte // '+', ' ' or '-'
	positive  bool // z: no negative zero
	alternate bool // #
	width     int
	grouping  string // "", "," or "_"
	precision int    // -1: none given
	kind      byte   // 0: none given
}

var specForm = regexp.MustCompile(`^(?s:(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?)$`)

// widest bounds width and precision: no file system has longer names.
const widest = 255

func parseSpec(text string) (spec, error) {
	m := specForm.FindStringSubmatch(text)
	if m == nil {
		return spec{}, fmt.Errorf("format specification %q: not one of Python's for numbers", text)
	}
	s := spec{fill: ' ', sign: '-', precision: -1, grouping: m[8], positive: m[4] != "", alternate: m[5] != ""}
	s.align, s.kind = first(m[2]), first(m[10])
	if m[3] != "" {
		s.sign = m[3][0]
	}
	if m[1] != "" {
		s.fill, _ = utf8.DecodeRuneInString(m[1])
	} else if m[6] != "" { // a zero before the width
		s.fill = '0'
		if s.align == 0 {
			s.align = '='
		}
	}
	for _, n := range []struct {
		digits string
		to     *int
	}{{m[7], &s.width}, {m[9], &s.precision}} {
		if n.digits == "" {
			continue
		}
		v, err := strconv.Atoi(n.digits)
		if err != nil || v > widest {
			return spec{}, fmt.Errorf("format specification %q: %s is more than %d", text, n.digits, widest)
		}
		*n.to = v
	}
	if s.kind != 0 && !strings.ContainsRune("bdoxXeEfFgG%", rune(s.kind)) {
		return spec{}, fmt.Errorf("format specification %q: no type %q for numbers", text, s.kind)
	}
	return s, nil
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// number is a number in pieces, to be grouped and filled up.
type number struct {
	sign, prefix string
	digits       string // of the integer part
	rest         string
}

// layout puts the pieces together (CPython, formatter_unicode.c).
func (s spec) layout(n number) string {
	every := 3
	if strings.IndexByte("boxX", s.kind) >= 0 {
		every = 4
	}
	around := utf8.RuneCountInString(n.sign + n.prefix + n.rest)
	least := 0 // the width that zeros fill, separators between them
	if s.fill == '0' && s.align == '=' {
		least = s.width - around
	}
	digits := n.digits
	if s.grouping != "" && digits != "" { // neither nan nor inf
		digits = group(digits, s.grouping, every, least)
	}
	pad := strings.Repeat(string(s.fill), max(s.width-around-len(digits), 0))
	body := n.prefix + digits + n.rest
	switch s.align {
	case '<':
		return n.sign + body + pad
	case '^':
		half := len(pad) / len(string(s.fill)) / 2 * len(string(s.fill))
		return pad[:half] + n.sign + body + pad[half:]
	case '=':
		return n.sign + n.prefix + pad + digits + n.rest
	}
	return pad + n.sign + body
}

// group puts a separator between each so many digits, and zeros before them up
// to a width. A separator is never first.
func group(digits, separator string, every, width int) string {
	for {
		var out strings.Builder
		for i, d := range digits {
			if i > 0 && (len(digits)-i)%every == 0 {
				out.WriteString(separator)
			}
			out.WriteRune(d)
		}
		if out.Len() >= width {
			return out.String()
		}
		digits = "0" + digits
	}
}
