package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// schema is the version of everything --json prints. Fields may be added
// under it; one that changes or goes away makes it 2.
const schema = 1

// writeJSON writes v as one line, or indented for people.
func writeJSON(w io.Writer, indent bool, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(harmless(b.Bytes()))
	return err
}

// harmless returns JSON with the same meaning in which what could act on a
// terminal is written as \u009b. encoding/json does so only with what is below
// a space; the rest of the control characters and the bidirectional marks, of
// which an editor shows another order than there is, it writes as they are.
func harmless(text []byte) []byte {
	if !bytes.ContainsFunc(text, acts) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if !acts(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

// acts tells runes that are not to be printed. Below a space there are only the
// line ends and tabs of JSON itself.
func acts(r rune) bool { return r > ' ' && !unicode.IsPrint(r) }

func (a *app) printJSON(v any) error { return writeJSON(a.out, a.screen.tty, v) }

// rawName returns the base64 of a name that JSON cannot hold because it is
// not UTF-8, and "" of any other. encoding/json would put U+FFFD for each bad
// byte and so make two names one; with this beside it nothing is lost.
func rawName(name string) string {
	if utf8.ValidString(name) {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(name))
}

// dims is a shape for JSON: a scalar's is [], not null.
func dims(shape []int64) []int64 {
	if shape == nil {
		return []int64{}
	}
	return shape
}
