package holder

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestThisNamesProcessProgramAndHost(t *testing.T) {
	who := This()
	if want := fmt.Sprintf("process %d (holder.test) on ", os.Getpid()); !strings.HasPrefix(who, want) && !strings.HasPrefix(who, strings.Replace(want, ".test", ".test.exe", 1)) {
		t.Errorf("This() = %q, want %q and a host", who, want)
	}
	full := Since(who, time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)))
	if want := who + ", since 2026-01-02T02:04:05Z"; full != want {
		t.Errorf("Since() = %q, want %q", full, want)
	}
	if !Check(who) || !Check(full) {
		t.Errorf("Check(%q) = false", full)
	}
}

func TestWhatATerminalMightObeyIsNotRepeated(t *testing.T) {
	for _, text := range []string{"", "process 1\x1b[2J", "process 1\n", "process \xff", "process " + strings.Repeat("x", maxText)} {
		if Check(text) {
			t.Errorf("Check(%q) = true, want false", text)
		}
	}
	if got, want := printable("a\x1b[2Jb\n"), "a?[2Jb?"; got != want {
		t.Errorf("printable = %q, want %q", got, want)
	}
}
