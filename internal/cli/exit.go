package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// The exit codes, explained in `ckpt help exit-codes`. Scripts rely on them:
// a number never changes its meaning.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCorrupt     = 3
	exitNotFound    = 4
	exitUnsupported = 5
	exitNotMatched  = 6
	exitInterrupted = 130
)

// usageError is a command line that makes no sense; hint says what does.
type usageError struct{ reason, hint string }

func (e *usageError) Error() string { return e.reason }

// hintError adds to an error what the reader can do about it.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// reported is an error whose sentence has been printed already.
type reported struct{ error }

func (e reported) Unwrap() error { return e.error }

func hintf(err error, layout string, args ...any) error {
	return &hintError{err, fmt.Sprintf(layout, args...)}
}

// exitCode maps an error to the exit code that its kind stands for. Of
// several joined errors damage wins over absence: it is what the user must
// hear of first.
func exitCode(err error) int {
	usage := new(usageError)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, format.ErrCorrupt), errors.Is(err, checkpoint.ErrNoneValid):
		return exitCorrupt
	case errors.Is(err, format.ErrUnsupported):
		return exitUnsupported
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, format.ErrNoTensor):
		return exitNotFound
	case errors.Is(err, trackable.ErrNotMatched):
		return exitNotMatched
	}
	return exitFailed
}

// kinds names the exit codes for programs that read the JSON of an error.
var kinds = map[int]string{
	exitOK:          "ok",
	exitFailed:      "failed",
	exitUsage:       "usage",
	exitCorrupt:     "corrupt",
	exitNotFound:    "not found",
	exitUnsupported: "unsupported",
	exitNotMatched:  "not matched",
	exitInterrupted: "interrupted",
}

// hintOf returns what to do about err, or "".
func hintOf(err error) string {
	usage, hinted := new(usageError), new(hintError)
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.As(err, &usage):
		return usage.hint
	}
	return ""
}

// finish prints err, once, and returns the exit code. A reader that closed
// the pipe (`ckpt show x | head`) has what it wanted: that is not reported.
func (a *app) finish(ctx context.Context, err error) int {
	code := exitCode(err)
	if err != nil && ctx.Err() != nil {
		code, err = exitInterrupted, errInterrupted
	}
	done := reported{}
	if err == nil || errors.As(err, &done) || errors.Is(err, syscall.EPIPE) {
		return code
	}
	if a.json {
		a.printErrorJSON(err, code)
		return code
	}
	printError(a.stderr, err)
	return code
}

var errInterrupted = errors.New("interrupted")

// printError writes the sentence of err on one line, its hint on another.
// Standard error is the last place to tell of anything: if it is closed,
// there is nobody left to tell.
func printError(w io.Writer, err error) {
	_, _ = fmt.Fprintf(w, "ckpt: %s\n", sentence(err))
	if hint := hintOf(err); hint != "" {
		printHint(w, hint)
	}
}

func printHint(w io.Writer, hint string) { _, _ = fmt.Fprintf(w, "hint: %s\n", printable(hint)) }

// note tells what is worth knowing although the command goes on.
func (a *app) note(text string) {
	text = printable(text)
	if a.json {
		_ = writeJSON(a.stderr, false, noteJSON{schema, text})
		return
	}
	_, _ = fmt.Fprintf(a.stderr, "ckpt: note: %s\n", text)
}

// sentence returns the text of err as one line that is safe to print.
func sentence(err error) string {
	return printable(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func (a *app) printErrorJSON(err error, code int) {
	_ = writeJSON(a.stderr, false, errorJSON{
		Schema: schema, Error: sentence(err), Exit: code, Kind: kinds[code], Hint: hintOf(err),
	})
}

type noteJSON struct {
	Schema int    `json:"schema"`
	Note   string `json:"note"`
}

type errorJSON struct {
	Schema int    `json:"schema"`
	Error  string `json:"error"`
	Exit   int    `json:"exit"`
	Kind   string `json:"kind"`
	Hint   string `json:"hint,omitempty"`
}
