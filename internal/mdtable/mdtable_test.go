package mdtable

import (
	"reflect"
	"testing"
)

func TestOnlyTheTablesAskedFor(t *testing.T) {
	got := Rows(`
| what | why |
|---|---|
| a | b |

| package | may import |
|---|---|
| x | y, z |
| v | – |
words | that are no table
| not | a row of it |
`, "package")
	want := [][]string{{"x", "y, z"}, {"v", "–"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Rows = %q, want %q", got, want)
	}
}
