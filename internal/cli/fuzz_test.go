package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ckpt-dev/ckpt/retention"
)

// FuzzPruneRules: whatever stands behind the flags of prune, there are rules or
// an error, and rules judge.
func FuzzPruneRules(f *testing.F) {
	for _, line := range []string{"--keep-latest\x005", "--keep-best\x003:val:loss:min", "--keep-best=1:a:max\x00--max-bytes\x00200GB",
		"--keep-within\x0014d", "--keep-within\x001e9h", "--keep-daily=-1", "--keep-tag\x00a\x00--keep-every-steps\x000x10", "--max-bytes\x001e400EB"} {
		f.Add(line)
	}
	list := []retention.Checkpoint{{Path: "ckpt-1", Size: 1 << 62}, {Path: "ckpt-2", Size: 1 << 62}}
	f.Fuzz(func(t *testing.T, line string) {
		c := new(app).pruneCommand()
		r := new(pruneRules)
		c.ResetFlags()
		r.flags(c)
		if c.ParseFlags(strings.Split(line, "\x00")) != nil {
			return
		}
		policy, err := r.policy(c)
		if err != nil {
			return
		}
		if verdicts := retention.Judge(policy, list); len(verdicts) != len(list) || verdicts[1].Fate == retention.Remove {
			t.Errorf("Judge(%q) = %v", line, verdicts)
		}
	})
}

// FuzzPrintable: nothing that is printed acts on a terminal, and JSON means
// what it meant.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"model/kernel", "\x1b]0;x\x07", "\u009b31m", "\u202e", "\xff\xfe", "a\nb", "\U000e0041", "\ufffd", "\u2028"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		acts := func(s string) bool {
			return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
		}
		if got := printable(text); acts(got) {
			t.Errorf("printable(%q) = %q", text, got)
		}
		var b strings.Builder
		w := &printableWriter{w: &b}
		for i := range len(text) {
			if _, err := w.Write([]byte(text[i : i+1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil || acts(strings.ReplaceAll(b.String(), "\n", "")) {
			t.Errorf("printableWriter makes %q of %q (%v)", b.String(), text, err)
		}
		encoded := marshal(text)
		var back string
		if err := json.Unmarshal(encoded, &back); err != nil || back != strings.ToValidUTF8(text, "") && utf8.ValidString(text) {
			t.Errorf("marshal(%q) = %s, which is %q (%v)", text, encoded, back, err)
		}
		if acts(string(bytes.TrimSpace(encoded))) {
			t.Errorf("marshal(%q) = %q", text, encoded)
		}
	})
}

// FuzzFindTensor: whatever is asked for, what is found is one of the names.
func FuzzFindTensor(f *testing.F) {
	f.Add("kernel", "model/kernel/.ATTRIBUTES/VARIABLE_VALUE\x00model/bias")
	f.Add("", "\x00/.ATTRIBUTES/\x00a")
	f.Add("a/b", "a.Sb\x00a/b\x00x/a/b")
	f.Fuzz(func(t *testing.T, want, list string) {
		names := strings.Split(list, "\x00")
		name, err := findTensor(want, names)
		if err == nil && !strings.Contains("\x00"+list+"\x00", "\x00"+name+"\x00") {
			t.Errorf("findTensor(%q, %q) = %q", want, names, name)
		}
	})
}
