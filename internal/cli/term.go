package cli

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// screen is what is known of where output goes.
type screen struct {
	tty   bool // a person reads it: tables, ages, human sizes
	color bool
	width int // in columns; 0: not known
}

// screenOf looks at w and at the environment: NO_COLOR and CLICOLOR=0 turn
// colour off, CLICOLOR_FORCE turns it on, CKPT_FORCE_TTY makes a pipe count as
// a terminal.
func screenOf(w io.Writer, env func(string) string) screen {
	f, ok := w.(*os.File)
	tty := ok && term.IsTerminal(int(f.Fd())) || env("CKPT_FORCE_TTY") != ""
	return screen{tty: tty, color: wantsColor(tty, env), width: widthOf(f, env)}
}

// widthOf asks the terminal; f may be nil, and a pipe.
func widthOf(f *os.File, env func(string) string) int {
	if f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	width, err := strconv.Atoi(env("COLUMNS"))
	if err != nil {
		return 0
	}
	return width
}

// wantsColor follows no-color.org first: who set it cannot or will not see
// colours, whatever else is set.
func wantsColor(tty bool, env func(string) string) bool {
	switch {
	case env("NO_COLOR") != "":
		return false
	case env("CLICOLOR_FORCE") != "" && env("CLICOLOR_FORCE") != "0":
		return true
	case env("CLICOLOR") == "0" || env("TERM") == "dumb":
		return false
	}
	return tty
}

// style is a way to write text; its value is the terminal's code for it.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint returns text in the given style, where the screen has colours.
func (s screen) paint(st style, text string) string {
	if !s.color || st == plain || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}
