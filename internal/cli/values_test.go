package cli

import (
	"bufio"
	"math"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
)

func jsonOf(t *testing.T, a *array) string {
	t.Helper()
	var b strings.Builder
	w := bufio.NewWriter(&b)
	if err := printValues(w, a); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func must(t *testing.T) func(tensor.Tensor, error) *array {
	return func(v tensor.Tensor, err error) *array {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return arrayOf(v)
	}
}

func TestValuesAreJSON(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		a    *array
		want string
	}{
		{must(t)(tensor.New(nil, []float32{0.1})), `0.1`},
		{must(t)(tensor.New(tensor.Shape{4}, []float64{nan, inf, -inf, 1e300})), `["NaN","Infinity","-Infinity",1e+300]`},
		{must(t)(tensor.New(tensor.Shape{1, 2}, []int64{math.MaxInt64, math.MinInt64})), `[[9223372036854775807,-9223372036854775808]]`},
		{must(t)(tensor.New(tensor.Shape{2, 1, 1}, []bool{true, false})), `[[[true]],[[false]]]`},
		{must(t)(tensor.New(tensor.Shape{3}, []complex64{1 - 2i, complex(float32(inf), float32(nan)), -1e-20 + 1e-20i})),
			`[{"re":1,"im":-2},{"re":"Infinity","im":"NaN"},{"re":-1e-20,"im":1e-20}]`},
		{must(t)(tensor.New(tensor.Shape{1}, []complex128{complex(-inf, -inf)})), `[{"re":"-Infinity","im":"-Infinity"}]`},
		{must(t)(tensor.New(tensor.Shape{1}, []tensor.BF16{tensor.ToBF16(1.5)})), `[1.5]`},
		{must(t)(tensor.New(tensor.Shape{0, 3}, []float32{})), `[]`},
		{must(t)(tensor.FromStrings(tensor.Shape{3}, []string{"<é>", "\xff\x00", "a\x1b"})), `["<é>",{"base64":"/wA="},"a\u001b"]`},
		{must(t)(tensor.FromVariants(nil, []string{"abc"})), `{"base64":"YWJj"}`},
	} {
		if got := jsonOf(t, c.a); got != c.want {
			t.Errorf("JSON of %v %v = %s, want %s", c.a.dtype, c.a.shape, got, c.want)
		}
	}
}
