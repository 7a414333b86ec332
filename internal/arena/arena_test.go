package arena

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// at returns where b is in memory.
func at(b []byte) *byte { return unsafe.SliceData(b) }

// TestCopiesAreWhatTheyWereCopiesOf, whatever becomes of the originals and of
// other arenas; and they lie in memory as in a file.
func TestCopiesAreWhatTheyWereCopiesOf(t *testing.T) {
	pool := NewPool()
	rapid.Check(t, func(t *rapid.T) {
		type copied struct{ got, want []byte }
		arenas, places := map[*Arena][]copied{}, map[*Arena]int{}
		for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
			size := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, 300<<10), rapid.Just(5<<20)).Draw(t, "size")
			want := bytes.Repeat([]byte{byte(i), byte(i >> 1), 3}, size/3)
			var a *Arena
			for a = range arenas {
				break
			}
			if a == nil || rapid.IntRange(0, 9).Draw(t, "new") == 0 {
				a = pool.New()
			}
			skipped := rapid.SampledFrom([]int{0, 0, 0, 1, 5000}).Draw(t, "skipped")
			a.Skip(int64(skipped))
			places[a] += skipped
			source := bytes.Clone(want)
			got, err := a.Copy(t.Context(), source)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) > 0 && (int(address(got))-places[a])%pageSize != 0 {
				t.Fatalf("byte %d of the file is in memory at %x", places[a], address(got))
			}
			if len(got) > 0 && (!a.Holds(got[len(got)/2:]) || !a.Holds(got[len(got)-1:]) || a.Holds(source) || pool.New().Holds(got)) {
				t.Fatal("Holds is not true for what Copy returned, or for something else")
			}
			places[a] += len(got)
			clear(source)
			arenas[a] = append(arenas[a], copied{got, want})
		}
		for a, list := range arenas {
			for _, c := range list {
				if !bytes.Equal(c.got, c.want) {
					t.Fatalf("a copy of %d bytes has changed", len(c.want))
				}
			}
			a.Forget()
		}
	})
}

func TestMemoryIsUsedAgain(t *testing.T) {
	pool, data := NewPool(), make([]byte, firstBlock+5)
	var first [2]*byte
	for round := range 5 {
		a := pool.New()
		for i, b := range [][]byte{data[:100], data} {
			got, err := a.Copy(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if round == 0 {
				first[i] = at(got)
			} else if at(got) != first[i] {
				t.Errorf("round %d: copy %d is not where the first was", round, i)
			}
		}
		a.Forget()
		a.Forget() // which does nothing
		if n := len(pool.free.list); n != 2 {
			t.Errorf("round %d: %d blocks are free, want 2", round, n)
		}
	}
	// What has become larger takes the place of what is too small.
	a := pool.New()
	if _, err := a.Copy(t.Context(), make([]byte, 2*firstBlock)); err != nil {
		t.Fatal(err)
	}
	if a.Forget(); len(pool.free.list) != 2 {
		t.Errorf("%d blocks are free, want 2", len(pool.free.list))
	}
}

func TestCopyingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, size := range []int{1, 20 << 20} {
		if _, err := NewPool().New().Copy(ctx, make([]byte, size)); !errors.Is(err, context.Canceled) {
			t.Errorf("Copy of %d bytes = %v, want context.Canceled", size, err)
		}
	}
}

// BenchmarkCopy against memory that is new each time.
func BenchmarkCopy(b *testing.B) {
	data := make([]byte, 256<<20)
	for i := range data {
		data[i] = byte(i)
	}
	b.Run("reused", func(b *testing.B) {
		pool := NewPool()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			a := pool.New()
			if _, err := a.Copy(b.Context(), data); err != nil {
				b.Fatal(err)
			}
			a.Forget()
		}
	})
	b.Run("reused, by 5 MiB", func(b *testing.B) {
		pool := NewPool()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			a := pool.New()
			for part := range slices.Chunk(data, 5<<20) {
				if _, err := a.Copy(b.Context(), part); err != nil {
					b.Fatal(err)
				}
			}
			a.Forget()
		}
	})
	b.Run("new", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			_ = bytes.Clone(data)
		}
	})
	b.Run("limit", func(b *testing.B) {
		to := bytes.Clone(data)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			copy(to, data)
		}
	})
}
