package format

import "testing"

func TestAnErrorNeverPrintsRawControlCharacters(t *testing.T) {
	err := &CorruptError{Part: "index", Tensor: "a\x1b[2J\n", Reason: "truncated"}
	if got, want := err.Error(), `"a\x1b[2J\n" in index at byte 0: truncated`; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
	err.Tensor = "größe of a"
	if got, want := err.Error(), "größe of a in index at byte 0: truncated"; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
}
