package cli

import (
	"errors"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
)

func TestRegionsReadAsInNumpy(t *testing.T) {
	full := tensor.Shape{10, 6}
	for _, c := range []struct {
		text          string
		start, length []int64
		shape         string
	}{
		{"", []int64{0, 0}, []int64{10, 6}, "[10,6]"},
		{":", []int64{0, 0}, []int64{10, 6}, "[10,6]"},
		{"0:10,5", []int64{0, 5}, []int64{10, 1}, "[10]"},
		{"3", []int64{3, 0}, []int64{1, 6}, "[6]"},
		{"-1,-1", []int64{9, 5}, []int64{1, 1}, "[]"},
		{"-3:", []int64{7, 0}, []int64{3, 6}, "[3,6]"},
		{":-3", []int64{0, 0}, []int64{7, 6}, "[7,6]"},
		{" 2 : 4 , : ", []int64{2, 0}, []int64{2, 6}, "[2,6]"},
		{"5:100", []int64{5, 0}, []int64{5, 6}, "[5,6]"},
		{"-100:2", []int64{0, 0}, []int64{2, 6}, "[2,6]"},
		{"8:2", []int64{8, 0}, []int64{0, 6}, "[0,6]"},
		{"100:", []int64{10, 0}, []int64{0, 6}, "[0,6]"},
	} {
		r, err := parseRegion(c.text)
		if err != nil {
			t.Errorf("parseRegion(%q): %v", c.text, err)
			continue
		}
		part, shape, err := r.resolve(full)
		want := tensor.Slice{Start: c.start, Length: c.length}
		if err != nil || !part.Equal(want) || shape.String() != c.shape {
			t.Errorf("region %q of %v = %v, %v, %v, want %v, %v", c.text, full, part, shape, err, want, c.shape)
		}
	}
}

func TestAWrongRegionIsAUsageErrorThatQuotesIt(t *testing.T) {
	for text, want := range map[string]string{
		"a":          `region "a": "a" is not a whole number`,
		"1:b":        `region "1:b": "b" is not a whole number`,
		"::2":        `region "::2": "::2" has a step, which is not supported`,
		"1,":         `region "1,": an item is empty`,
		"1.5":        `region "1.5": "1.5" is not a whole number`,
		"10":         `region "10": index 10 is outside of dimension 0, which has 10`,
		":,-7":       `region ":,-7": index -7 is outside of dimension 1, which has 6`,
		"1,2,3":      `region "1,2,3": has 3 items, but the tensor [10,6] has 2 dimensions`,
		"9e9":        `region "9e9": "9e9" is not a whole number`,
		"1:\x1b[31m": `region "1:\x1b[31m": "\x1b[31m" is not a whole number`,
	} {
		r, err := parseRegion(text)
		if err == nil {
			_, _, err = r.resolve(tensor.Shape{10, 6})
		}
		usage := new(usageError)
		if !errors.As(err, &usage) || err.Error() != want {
			t.Errorf("region %q: %v, want %s", text, err, want)
		}
	}
}

func FuzzRegion(f *testing.F) {
	for _, text := range []string{"", ":", "0:10,5", "-3:", "1:2,:,-1", "::", "9223372036854775807:", "-9223372036854775808"} {
		f.Add(text, int64(7), int64(0))
	}
	f.Fuzz(func(t *testing.T, text string, rows, columns int64) {
		r, err := parseRegion(text)
		if err != nil {
			return
		}
		again, err := parseRegion(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("parseRegion(%q) = %v, which reads as %v, %v", text, r, again, err)
		}
		if rows < 0 || columns < 0 {
			return
		}
		full := tensor.Shape{rows, columns}
		part, shape, err := r.resolve(full)
		if err != nil {
			return
		}
		if _, err := part.Resolve(full); err != nil {
			t.Errorf("region %q of %v = %v: %v", text, full, part, err)
		}
		if len(shape) > len(full) {
			t.Errorf("region %q of %v has shape %v", text, full, shape)
		}
	})
}
