package crew

import (
	"context"
	"testing"
)

// saying is a group of two, the other of which says always the same.
type saying struct{ text []byte }

func (saying) Rank() int { return 1 }
func (saying) Size() int { return 2 }

func (s saying) AllGather(_ context.Context, _ string, mine []byte) ([][]byte, error) {
	return [][]byte{s.text, mine}, nil
}

// FuzzRound: whatever another worker says, a round ends with what both have
// said or with an error.
func FuzzRound(f *testing.F) {
	for _, text := range []string{`{"Value":{"Skip":true}}`, `{"Err":"x"}`, `{`, `null`, `{"Value":7}`, `{"Value":{"Path":"../x"}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w := New(saying{text})
		all, err := Round(t.Context(), w, "begin", Announcement{}, nil)
		if err == nil && len(all) != 2 {
			t.Errorf("Round() = %v", all)
		}
		_, err = w.Join(t.Context(), nil)
		if err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}
