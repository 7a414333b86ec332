package shelf

import (
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

// TestWhatOnlyTheOldOneHadGoesFirst: once the recovery set's index is gone,
// nobody knows these files any more. Proves D5, D6.
func TestWhatOnlyTheOldOneHadGoesFirst(t *testing.T) {
	was := whole("ckpt-7", "old", one)
	var removed []string
	dir := storage.WithTrace(put(t, with(with(was, under(was)), whole("ckpt-7", "two", first, second))), func(line string) {
		if strings.HasPrefix(line, "remove ") {
			removed = append(removed, line)
		}
	})
	if err := SettleAt(t.Context(), dir, "ckpt-7", told); err != nil {
		t.Fatal(err)
	}
	want := "remove ckpt-7.data-" + one + "; ckpt-7.recovery.index"
	if len(removed) == 0 || removed[0] != want {
		t.Errorf("SettleAt removes %q, want %q first", removed, want)
	}
}
