package orderedcode_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	oc "github.com/ckpt-dev/ckpt/internal/orderedcode"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors of TensorFlow's ordered_code_test.cc.
func TestSignedGivesTensorFlowsBytes(t *testing.T) {
	for v, want := range map[int64]string{
		0: "80", -1: "7f", 63: "bf", 64: "c040", 100: "c064", 8191: "dfff", 8192: "e02000",
		1048575: "efffff", 1048576: "f0100000", -64: "40", -65: "3fbf", -2048: "3800",
		0x424242: "f0424242", 1 << 55: "ff8080000000000000", 1 << 62: "ffc04000000000000000",
	} {
		if got := oc.AppendSigned(nil, v); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("AppendSigned(%d) = %x, want %s", v, got, want)
		}
	}
}

func TestNumberGivesTensorFlowsBytes(t *testing.T) {
	for v, want := range map[uint64]string{0: "00", 1: "0101", 255: "01ff", 256: "020100", 1<<64 - 1: "08ffffffffffffffff"} {
		if got := oc.AppendNumber(nil, v); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("AppendNumber(%d) = %x, want %s", v, got, want)
		}
	}
}

func TestSliceKeyGivesTensorFlowsBytes(t *testing.T) {
	for _, c := range []struct {
		name          string
		start, length []int64
		want          string
	}{
		{"emb", []int64{0, 0}, []int64{5, -1}, "00 656d62 0001 0102 80 85 80 7f"},
		{"emb", []int64{5, 0}, []int64{5, 100}, "00 656d62 0001 0102 85 85 80 c064"},
		{"W1", []int64{0, 0}, []int64{-1, -1}, "00 5731 0001 0102 80 7f 80 7f"},
		{"\x00\xff", nil, nil, "00 00ff ff00 0001 00"},
	} {
		key := oc.SliceKey(c.name, c.start, c.length)
		if key != string(unhex(t, c.want)) {
			t.Errorf("SliceKey(%q, %v, %v) = %x, want %s", c.name, c.start, c.length, key, c.want)
		}
		name, start, length, err := oc.ParseSliceKey(key)
		if err != nil || name != c.name || !slices.Equal(start, c.start) || !slices.Equal(length, c.length) {
			t.Errorf("ParseSliceKey(%x) = %q, %v, %v, %v", key, name, start, length, err)
		}
	}
}

func TestCodesAreOrderedAsTheirValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		if got := bytes.Compare(oc.AppendSigned(nil, a), oc.AppendSigned(nil, b)); got != cmp.Compare(a, b) {
			t.Fatalf("signed %d and %d compare as %d", a, b, got)
		}
		u, v := rapid.Uint64().Draw(t, "u"), rapid.Uint64().Draw(t, "v")
		if got := bytes.Compare(oc.AppendNumber(nil, u), oc.AppendNumber(nil, v)); got != cmp.Compare(u, v) {
			t.Fatalf("numbers %d and %d compare as %d", u, v, got)
		}
		s, r := drawString(t, "s"), drawString(t, "r")
		if got := bytes.Compare(oc.AppendString(nil, s), oc.AppendString(nil, r)); got != cmp.Compare(s, r) {
			t.Fatalf("strings %q and %q compare as %d", s, r, got)
		}
	})
}

// drawString favours the two bytes that are escaped.
func drawString(t *rapid.T, label string) string {
	return string(rapid.SliceOf(rapid.SampledFrom([]byte{0, 0xff, 1, 'a', 0xfe})).Draw(t, label))
}

func TestEverySliceKeyComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := drawString(t, "name")
		start := rapid.SliceOfN(rapid.Int64(), 0, 8).Draw(t, "start")
		length := rapid.SliceOfN(rapid.Int64(), len(start), len(start)).Draw(t, "length")
		key := oc.SliceKey(name, start, length)
		n, s, l, err := oc.ParseSliceKey(key)
		if err != nil || n != name || !slices.Equal(s, start) || !slices.Equal(l, length) {
			t.Fatalf("ParseSliceKey(SliceKey(%q, %v, %v)) = %q, %v, %v, %v", name, start, length, n, s, l, err)
		}
	})
}

func TestMalformedKeysAreRefused(t *testing.T) {
	for _, bad := range []string{
		"", "01 01", "00", "00 61", "00 61 00", "00 61 0002 00", "00 61 ff01 0001 00", "00 61 0001",
		"00 61 0001 0101", "00 61 0001 0101 80", "00 61 0001 00 80", "00 61 0001 0100", "00 61 0001 09",
		"00 61 0001 0101 80 c001", "00 61 0001 0101 80 ff", "00 61 0001 0101 80 ffffffffffffffffffff",
		"00 61 0001 0103 80", "00 61 0001 02ffff",
	} {
		if name, start, length, err := oc.ParseSliceKey(string(unhex(t, bad))); err == nil {
			t.Errorf("ParseSliceKey(%s) = %q, %v, %v, want an error", bad, name, start, length)
		}
	}
}

func FuzzOrderedCode(f *testing.F) {
	f.Add([]byte(oc.SliceKey("emb", []int64{0, 5}, []int64{5, -1})))
	f.Add([]byte(oc.SliceKey("a\x00\xffb", []int64{1 << 40}, []int64{-1 << 60})))
	f.Fuzz(func(t *testing.T, key []byte) {
		name, start, length, err := oc.ParseSliceKey(string(key))
		if err != nil {
			return
		}
		if again := oc.SliceKey(name, start, length); again != string(key) {
			t.Errorf("SliceKey(ParseSliceKey(%x)) = %x", key, again)
		}
	})
}
