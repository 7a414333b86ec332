package transfer

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzReadVocab: a vocabulary has a word for each line, and nothing else.
func FuzzReadVocab(f *testing.F) {
	for _, text := range []string{"", "\n", "a\nb\n", "a\r\nb", "\xff\xfe\n", "a\x00b\n\n\nc", strings.Repeat("x", 70000) + "\ny"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		words, err := ReadVocab(bytes.NewReader(text))
		if err != nil {
			return
		}
		size := 0
		for _, w := range words {
			if strings.Contains(w, "\n") {
				t.Errorf("word %q", w)
			}
			size += len(w) + 1
		}
		if size > len(text)+1 {
			t.Errorf("%d bytes of words in %d", size, len(text))
		}
		if rows, err := places(words, words); err == nil && len(rows) != len(words) {
			t.Errorf("%d places of %d words", len(rows), len(words))
		}
	})
}
