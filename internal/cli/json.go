package cli

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// schema is the version of everything --json prints. Fields may be added
// under it; one that changes or goes away makes it 2.
const schema = 1

// writeJSON writes v as one line, or indented for people.
func writeJSON(w io.Writer, indent bool, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

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
