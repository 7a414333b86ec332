package cli

import (
	"strings"
	"testing"
)

func TestNothingUnprintableIsPrinted(t *testing.T) {
	for in, want := range map[string]string{
		"model/kernel":        "model/kernel",
		`back\slash "q"`:      `back\slash "q"`,
		"größe/层":             "größe/层",
		"\x1b]0;owned\x07":    `\x1b]0;owned\a`,
		"a\nb\tc\rd":          `a\nb\tc\rd`,
		"\xff\xfe":            `\xff\xfe`,
		"\u202egnp.exe":       `\u202egnp.exe`,
		"\u009b31m":           `\u009b31m`,
		"a\U000e0041":         `a\U000e0041`,
		"\ufffd is not wrong": "\ufffd is not wrong",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintableWriterKeepsLines(t *testing.T) {
	var b strings.Builder
	w := &printableWriter{w: &b}
	for _, piece := range []string{"on", "e\x1b\ntwo", "\n", "th\xc3", "\xa9"} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "one\\x1b\ntwo\nth\u00e9"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
