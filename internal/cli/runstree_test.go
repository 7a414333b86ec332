package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/experiment"
)

func TestWhatIsTooDeepForATreeOfRunsIsNotDrawnElsewhere(t *testing.T) {
	var list []experiment.Listing
	for i := range treeDepth + 5 {
		l := experiment.Listing{Name: fmt.Sprintf("run-%03d", i)}
		if i > 0 {
			l.Record.From = &experiment.Origin{Run: list[i-1].Name}
		}
		list = append(list, l)
	}
	var out bytes.Buffer
	a := &app{out: bufio.NewWriter(&out)}
	newRunTree(list).print(a)
	if err := a.out.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if want := treeDepth + 2; len(lines) != want || !strings.Contains(lines[want-1], "deeper than") {
		t.Errorf("%d lines that end in %q, want the root, %d below it and what says that there are more", len(lines), lines[len(lines)-1], treeDepth)
	}
}
