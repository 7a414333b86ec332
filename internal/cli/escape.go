package cli

import (
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable returns s with everything that could act on a terminal, or cannot
// be seen on one, written as a Go escape: control characters, bidirectional
// marks and bytes that are not UTF-8. Names in a file may be anybody's, and
// "\x1b]0;…" in one must not reach the terminal of who lists it. A backslash
// stays as it is: what must be exact is in the JSON output.
func printable(s string) string {
	if !needsEscape(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			q := strconv.Quote(s[:n])
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func needsEscape(s string) bool {
	if isPlain(s) { // nearly all are, and a table may have a million of them
		return false
	}
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isPlain reports whether s is printable ASCII.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printableWriter escapes as printable does what passes through it, line by
// line; line ends pass as they are.
type printableWriter struct {
	w    io.Writer
	rest []byte // of a line that has not ended yet
}

// Write passes on every line that is complete.
func (p *printableWriter) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	for {
		line, rest, ok := strings.Cut(string(p.rest), "\n")
		if !ok {
			return len(b), nil
		}
		p.rest = []byte(rest)
		if _, err := io.WriteString(p.w, printable(line)+"\n"); err != nil {
			return 0, err
		}
	}
}

// Flush passes on a last line without an end.
func (p *printableWriter) Flush() error {
	_, err := io.WriteString(p.w, printable(string(p.rest)))
	p.rest = nil
	return err
}
