//go:build interop

package interop

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
)

// numberFormat is a request to write a number.
type numberFormat struct {
	Spec  string `json:"spec"`
	Value string `json:"value"`
	Whole bool   `json:"whole"`
}

func randomFormat(r *rand.Rand) numberFormat {
	f := numberFormat{Whole: r.IntN(2) == 0}
	spec := pick(r, "", "", "<", ">", "^", "=", "*<", "0=", "é^", "x>", "_=")
	spec += pick(r, "", "", "-", "+", " ") + pick(r, "", "", "", "z") + pick(r, "", "", "", "#") + pick(r, "", "", "0")
	if r.IntN(2) == 0 {
		spec += strconv.Itoa(1 + r.IntN(20))
	}
	spec += pick(r, "", "", "", ",", "_")
	if r.IntN(3) > 0 == !f.Whole {
		spec += "." + strconv.Itoa(r.IntN(12))
	}
	f.Spec = spec + pick(r, "", "", "d", "d", "b", "o", "x", "X", "e", "E", "f", "f", "F", "g", "g", "G", "%", "s", "q")
	f.Value = strconv.FormatInt(r.Int64N(1<<pick(r, 3, 10, 40))-r.Int64N(1<<10), 10)
	if !f.Whole {
		f.Value = pick(r, randomValue(r), pyNumber(r.NormFloat64()*1e3), pyNumber(float64(r.IntN(2000)-1000)), "-0.0")
	}
	return f
}

func TestNumbersInNamesAreWrittenAsPythonWritesThem(t *testing.T) {
	r := random(t)
	cases := make([]numberFormat, 20000)
	for i := range cases {
		cases[i] = randomFormat(r)
	}
	theirs := must[[]*string](t, "keras_formats", map[string]any{"cases": cases})
	written := 0
	for i, c := range cases {
		var value any
		var err error
		if value, err = strconv.ParseFloat(c.Value, 64); c.Whole {
			value, err = strconv.ParseInt(c.Value, 10, 64)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := "cannot be written"
		if p, err := callbacks.ParsePattern("{x:" + c.Spec + "}"); err == nil {
			if got, err := p.Format(func(string) (any, bool) { return value, true }); err == nil {
				name = got
			}
		}
		want := "cannot be written"
		if theirs[i] != nil {
			want = *theirs[i]
			written++
		}
		if name != want {
			t.Errorf("format(%s, %q) = %q, want %q", c.Value, c.Spec, name, want)
		}
	}
	if written < len(cases)/4 {
		t.Errorf("Python wrote %d of %d numbers: that shows too little", written, len(cases))
	}
}
