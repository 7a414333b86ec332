package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestEveryKindOfErrorHasItsExitCode(t *testing.T) {
	corrupt := &format.CorruptError{Part: "index", Reason: "short"}
	missing := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any other"), 1},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, 1},
		{&usageError{reason: "x"}, 2},
		{fmt.Errorf("load: %w", corrupt), 3},
		{errors.Join(missing, corrupt), 3},
		{reported{corrupt}, 3},
		{missing, 4},
		{format.ErrNoTensor, 4},
		{hintf(missing, "look elsewhere"), 4},
		{fmt.Errorf("snappy: %w", format.ErrUnsupported), 5},
		{fmt.Errorf("restore: %w", trackable.ErrNotMatched), 6},
		{fmt.Errorf("read: %w", context.Canceled), 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestExitCodesStandInTheHelp(t *testing.T) {
	for code, kind := range kinds {
		if line := fmt.Sprintf("%5d  %s", code, kind); !strings.Contains(exitCodesText, line) {
			t.Errorf("help exit-codes has no line %q", line)
		}
	}
}

func TestAnErrorIsOneSentenceAndAHint(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		json   bool
		cancel bool
		want   string
		exit   int
	}{
		{"plain", errors.New("a\x1b[2J\nb"), false, false, "ckpt: a\\x1b[2J; b\n", 1},
		{"hint", hintf(errors.New("x"), "try %s", "y\x07"), false, false, "ckpt: x\nhint: try y\\a\n", 1},
		{"usage", &usageError{"no", "run 'ckpt help'"}, false, false, "ckpt: no\nhint: run 'ckpt help'\n", 2},
		{"json", hintf(fs.ErrNotExist, "y"), true, false,
			`{"schema":1,"error":"file does not exist","exit":4,"kind":"not found","hint":"y"}` + "\n", 4},
		{"reported", reported{format.ErrCorrupt}, false, false, "", 3},
		{"closed pipe", &fs.PathError{Op: "write", Path: "stdout", Err: syscall.EPIPE}, false, false, "", 1},
		{"interrupted", errors.New("read: stopped"), false, true, "ckpt: interrupted\n", 130},
		{"done before the interrupt", nil, false, true, "", 0},
	} {
		var stderr strings.Builder
		a := &app{stderr: &stderr, json: c.json}
		ctx, cancel := context.WithCancel(t.Context())
		if c.cancel {
			cancel()
		}
		if got := a.finish(ctx, c.err); got != c.exit || stderr.String() != c.want {
			t.Errorf("%s: exit %d, %q, want %d, %q", c.name, got, &stderr, c.exit, c.want)
		}
		cancel()
	}
}

func TestTablesAreForPeopleAndForPipes(t *testing.T) {
	tab := table{columns: []column{{title: "NAME"}, {title: "SIZE", right: true}, {title: "FLAGS"}}}
	tab.add(same("ckpt-1"), size(1500), cell{text: "latest", plain: "latest", style: green})
	tab.add(same("größe\x1b"), size(20), cell{})
	for _, c := range []struct {
		s    screen
		want string
	}{
		{screen{}, "ckpt-1\t1500\tlatest\ngröße\\x1b\t20\t\n"},
		{screen{tty: true}, "NAME         SIZE  FLAGS\nckpt-1     1.5 kB  latest\ngröße\\x1b    20 B  \n"},
		{screen{tty: true, color: true}, "\x1b[2mNAME\x1b[0m         \x1b[2mSIZE\x1b[0m  \x1b[2mFLAGS\x1b[0m\n" +
			"ckpt-1     1.5 kB  \x1b[32mlatest\x1b[0m\ngröße\\x1b    20 B  \n"},
	} {
		var b strings.Builder
		w := bufio.NewWriter(&b)
		tab.write(w, c.s)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != c.want {
			t.Errorf("table for %+v =\n%q, want\n%q", c.s, got, c.want)
		}
	}
}

func TestTheEnvironmentDecidesColours(t *testing.T) {
	for _, c := range []struct {
		env  string
		tty  bool
		want screen
	}{
		{"", false, screen{}},
		{"NO_COLOR=1 CKPT_FORCE_TTY=1", false, screen{tty: true}},
		{"CKPT_FORCE_TTY=yes", false, screen{tty: true, color: true}},
		{"CKPT_FORCE_TTY=yes TERM=dumb", false, screen{tty: true}},
		{"CKPT_FORCE_TTY=yes CLICOLOR=0", false, screen{tty: true}},
		{"CLICOLOR_FORCE=1", false, screen{color: true}},
		{"CLICOLOR_FORCE=1 NO_COLOR=1", false, screen{}},
		{"CLICOLOR_FORCE=0", false, screen{}},
	} {
		env := func(name string) string {
			for _, pair := range strings.Fields(c.env) {
				if value, ok := strings.CutPrefix(pair, name+"="); ok {
					return value
				}
			}
			return ""
		}
		if got := screenOf(new(strings.Builder), env); got != c.want {
			t.Errorf("screenOf with %q = %+v, want %+v", c.env, got, c.want)
		}
	}
}
