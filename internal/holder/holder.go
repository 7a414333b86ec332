// Package holder says who this process is, to those whom it keeps out, and
// reads what others say of themselves with the caution that takes: anybody may
// have written it.
package holder

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxText is how much of what somebody says of himself is repeated.
const maxText = 300

// This returns the process, its program and its host.
func This() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "an unnamed host"
	}
	return printable(fmt.Sprintf("process %d (%s) on %s", os.Getpid(), filepath.Base(os.Args[0]), host))
}

// Since adds to who it is since when: the moment t, in UTC, as people of
// several machines can compare it.
func Since(who string, t time.Time) string {
	return who + ", since " + t.UTC().Format(time.RFC3339)
}

// Check reports whether text says something and can be shown as it is.
func Check(text string) bool {
	return text != "" && len(text) <= maxText && printable(text) == text
}

// printable replaces what a terminal might take for a command.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
