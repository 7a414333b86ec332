package callbacks

import (
	"math"
	"strings"
	"testing"
)

// formats is what Python 3.11's format(value, spec) answers; interop compares
// many more.
var formats = []struct {
	spec  string
	value any
	want  string
}{
	{"", math.Inf(-1), "-inf"},
	{"", int64(-1234567), "-1234567"},
	{"", int64(0), "0"},
	{"", float64(0.0001), "0.0001"},
	{"d", int64(-1234567), "-1234567"},
	{"d", int64(-3), "-3"},
	{"02d", int64(1000), "1000"},
	{"02d", int64(12345678), "12345678"},
	{"5d", int64(1000), " 1000"},
	{"5d", int64(-1234567), "-1234567"},
	{"<5d", int64(7), "7    "},
	{"<5d", int64(-1234567), "-1234567"},
	{">5", int64(12345678), "12345678"},
	{">5", int64(-3), "   -3"},
	{">5", float64(5e-324), "5e-324"},
	{">5", float64(0.0001), "0.0001"},
	{"^7", float64(1e-05), " 1e-05 "},
	{"^7", math.Copysign(0, -1), " -0.0  "},
	{"^7", int64(-1234567), "-1234567"},
	{"^7", int64(12345678), "12345678"},
	{"=+6d", int64(-1234567), "-1234567"},
	{"=+6d", int64(7), "+    7"},
	{"+d", int64(0), "+0"},
	{"+d", int64(-1234567), "-1234567"},
	{" d", int64(12345678), " 12345678"},
	{" d", int64(-3), "-3"},
	{"*^9", float64(-2.5), "**-2.5***"},
	{"*^9", float64(0.0), "***0.0***"},
	{"*^9", int64(-3), "***-3****"},
	{"*^9", int64(-1234567), "-1234567*"},
	{"#x", int64(7), "0x7"},
	{"#x", int64(0), "0x0"},
	{"#X", int64(-1234567), "-0X12D687"},
	{"#X", int64(-3), "-0X3"},
	{"#010b", int64(7), "0b00000111"},
	{"#010b", int64(0), "0b00000000"},
	{"o", int64(-3), "-3"},
	{"o", int64(0), "0"},
	{"_b", int64(0), "0"},
	{"_b", int64(7), "111"},
	{",d", int64(-3), "-3"},
	{",d", int64(1000), "1,000"},
	{"010,d", int64(12345678), "12,345,678"},
	{"010,d", int64(0), "00,000,000"},
	{"_d", int64(-3), "-3"},
	{"_d", int64(0), "0"},
	{"012,", int64(1000), "0,000,001,000"},
	{"012,", float64(-0.04), "-0,000,000.04"},
	{"012,", math.Inf(-1), "-00000000inf"},
	{"012,", int64(7), "0,000,000,007"},
	{"<05", math.Inf(1), "inf00"},
	{"<05", int64(-1234567), "-1234567"},
	{"<05", float64(1e+16), "1e+16"},
	{"<05", int64(-3), "-3000"},
	{"e", float64(1e+16), "1.000000e+16"},
	{"e", math.Inf(-1), "-inf"},
	{"e", int64(12345678), "1.234568e+07"},
	{"e", int64(7), "7.000000e+00"},
	{".2f", float64(1e-05), "0.00"},
	{".2f", math.NaN(), "nan"},
	{".2f", int64(0), "0.00"},
	{".2f", int64(12345678), "12345678.00"},
	{"08.3f", int64(12345678), "12345678.000"},
	{"08.3f", float64(1e+16), "10000000000000000.000"},
	{"08.3f", math.Inf(1), "00000inf"},
	{"08.3f", int64(7), "0007.000"},
	{"+.1e", int64(12345678), "+1.2e+07"},
	{"+.1e", float64(1e+16), "+1.0e+16"},
	{"+.1e", int64(-1234567), "-1.2e+06"},
	{"+.1e", math.NaN(), "+nan"},
	{"E", float64(-0.04), "-4.000000E-02"},
	{"E", float64(-2.5), "-2.500000E+00"},
	{"E", int64(1000), "1.000000E+03"},
	{"E", int64(-1234567), "-1.234567E+06"},
	{"g", int64(1000), "1000"},
	{"g", float64(99.95), "99.95"},
	{"g", int64(-1234567), "-1.23457e+06"},
	{"g", float64(0.5), "0.5"},
	{".3g", float64(123456789.125), "1.23e+08"},
	{".3g", int64(12345678), "1.23e+07"},
	{".3g", float64(0.0), "0"},
	{".3g", int64(1000), "1e+03"},
	{"#.3g", float64(-0.04), "-0.0400"},
	{"#.3g", int64(-3), "-3.00"},
	{"#.3g", float64(0.0), "0.00"},
	{"#.3g", int64(-1234567), "-1.23e+06"},
	{"%", float64(1e+16), "1000000000000000000.000000%"},
	{"%", math.NaN(), "nan%"},
	{"%", int64(0), "0.000000%"},
	{"%", int64(1000), "100000.000000%"},
	{".1%", float64(0.5), "50.0%"},
	{".1%", int64(-3), "-300.0%"},
	{".1%", math.Copysign(0, -1), "-0.0%"},
	{".1%", int64(1000), "100000.0%"},
	{"G", float64(-2.5), "-2.5"},
	{"G", float64(0.0), "0"},
	{"G", int64(7), "7"},
	{"G", int64(12345678), "1.23457E+07"},
	{"z.1f", float64(123.0), "123.0"},
	{"z.1f", float64(99.95), "100.0"},
	{"z.1f", int64(1000), "1000.0"},
	{"z.1f", int64(12345678), "12345678.0"},
	{"+08.2f", int64(7), "+0007.00"},
	{"+08.2f", int64(1000), "+1000.00"},
	{"+08.2f", float64(1000000000000000.0), "+1000000000000000.00"},
	{"+08.2f", float64(-0.04), "-0000.04"},
	{"*<12.3e", float64(0.0), "0.000e+00***"},
	{"*<12.3e", float64(-0.04), "-4.000e-02**"},
	{"*<12.3e", int64(-3), "-3.000e+00**"},
	{"*<12.3e", int64(-1234567), "-1.235e+06**"},
	{",.2f", math.Inf(-1), "-inf"},
	{",.2f", int64(0), "0.00"},
	{",.2f", int64(12345678), "12,345,678.00"},
	{",.2f", float64(123456789.125), "123,456,789.12"},
	{"015,.1f", math.Inf(1), "000000000000inf"},
	{"015,.1f", float64(5e-324), "0,000,000,000.0"},
	{"015,.1f", int64(0), "0,000,000,000.0"},
	{"015,.1f", int64(-1234567), "-0,001,234,567.0"},
	{".3", float64(-0.04), "-0.04"},
	{".3", float64(0.0), "0.0"},
	{"#.0f", math.Inf(1), "inf"},
	{"#.0f", float64(1e-05), "0."},
	{"#.0f", int64(-1234567), "-1234567."},
	{"#.0f", int64(7), "7."},
	{".0e", int64(7), "7e+00"},
	{".0e", int64(1000), "1e+03"},
	{".0e", math.Copysign(0, -1), "-0e+00"},
	{".0e", float64(0.5), "5e-01"},
	{"#", float64(0.0), "0.0"},
	{"#", math.NaN(), "nan"},
	{"#", int64(7), "7"},
	{"#", int64(-3), "-3"},
	{"é^9.2f", int64(7), "éé7.00ééé"},
	{"é^9.2f", float64(-2.5), "éé-2.50éé"},
	{"é^9.2f", math.Copysign(0, -1), "éé-0.00éé"},
	{"é^9.2f", int64(12345678), "12345678.00"},
	{"020_", int64(7), "0_000_000_000_000_007"},
	{"020_", float64(1e+16), "0_000_000_000_001e+16"},
	{"020_", float64(-0.04), "-0_000_000_000_000.04"},
	{"020_", int64(-3), "-000_000_000_000_003"},
	{"=20,", float64(5e-324), "              5e-324"},
	{"=20,", math.Copysign(0, -1), "-                0.0"},
	{"=20,", int64(12345678), "          12,345,678"},
	{"=20,", int64(-3), "-                  3"},
	{"07,d", int64(1000), "001,000"},
	{"07,d", int64(-3), "-00,003"},
	{"06,d", int64(-1234567), "-1,234,567"},
	{"06,d", int64(12345678), "12,345,678"},
	{"F", int64(-1234567), "-1234567.000000"},
	{"F", float64(-0.04), "-0.040000"},
	{"F", float64(123456789.125), "123456789.125000"},
	{"F", int64(0), "0.000000"},
}

func TestNumbersAreWrittenAsPythonWritesThem(t *testing.T) {
	for _, c := range formats {
		s, err := parseSpec(c.spec)
		if err != nil {
			t.Errorf("parseSpec(%q) = %v", c.spec, err)
			continue
		}
		if got, err := s.format(c.value); got != c.want || err != nil {
			t.Errorf("format(%v, %q) = %q, %v, want %q", c.value, c.spec, got, err, c.want)
		}
	}
}

func TestSpecificationsThatPythonRefusesToo(t *testing.T) {
	for _, c := range []struct {
		spec  string
		value any
	}{
		{"x", 1.5}, {"d", 1.0}, {".2d", int64(1)}, {".2", int64(1)}, {"z", int64(1)}, {",x", int64(1)}, {"02s", int64(1)},
		{"y", 1.0}, {"5.", 1.0}, {"<<<", 1.0}, {",,", 1.0},
	} {
		s, err := parseSpec(c.spec)
		if err == nil {
			_, err = s.format(c.value)
		}
		if err == nil {
			t.Errorf("format(%v, %q) = nil, want an error", c.value, c.spec)
		}
	}
}

func TestASpecificationMayNotAskForMoreThanANameHolds(t *testing.T) {
	for _, spec := range []string{"999999999d", ".999999999f", "99999999999999999999"} {
		if _, err := parseSpec(spec); err == nil || !strings.Contains(err.Error(), "more than 255") {
			t.Errorf("parseSpec(%q) = %v, want an error", spec, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	values := map[string]any{"epoch": int64(7), "val_loss": .256, "größe": math.Pi}
	for pattern, want := range map[string]string{
		"cp":                            "cp",
		"cp-{epoch:02d}-{val_loss:.2f}": "cp-07-0.26",
		"{epoch}/{{a}}{epoch:>3}":       "7/{a}  7",
		"[{epoch}]*?.x":                 "[7]*?.x",
		"{größe:.3}":                    "3.14",
		"{val_loss}{epoch:e}":           "0.2567.000000e+00",
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Errorf("ParsePattern(%q) = %v", pattern, err)
			continue
		}
		got, err := p.Format(func(field string) (any, bool) { v, ok := values[field]; return v, ok })
		if got != want || err != nil {
			t.Errorf("Format(%q) = %q, %v, want %q", pattern, got, err, want)
		}
		if !p.Match(got) || p.Match(got+"/x") || p.Match("x/"+got) {
			t.Errorf("Match(%q) of %q is wrong", got, pattern)
		}
	}
}

func TestPatternsThatCanMakeNoName(t *testing.T) {
	for pattern, want := range map[string]string{
		"":             "invalid",
		"/abs":         "invalid",
		"../{epoch}":   "invalid",
		"{":            "a single brace",
		"a}b":          "a single brace",
		"{epoch":       "a single brace",
		"{a{b}}":       "a single brace",
		"{}":           "want the name",
		"{0}":          "want the name",
		"{epoch!r}":    "want the name",
		"{logs[loss]}": "want the name",
		"{epoch:02q}":  "no type",

		"best/checkpoint":  "the name of the state file",
		"{epoch}.recovery": "reserved",
	} {
		if _, err := ParsePattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePattern(%q) = %v, want %q", pattern, err, want)
		}
	}
}

func TestDirectionsOfNames(t *testing.T) {
	for name, want := range map[string]Mode{
		"val_loss": Min, "loss": Min, "out_1_loss": Min, "val_acc": Max, "accuracy": Max, "sparse_categorical_accuracy": Max,
		"val_auc": Max, "mean_squared_error": Min, "binary_crossentropy": Min, "top5acc": Max, "f1_score": Max,
		"mean_io_u": Auto, "quality": Auto, "val_recall": Max, "accuracy_loss": Min, "cosine_similarity": Max,
	} {
		if got := direction(name); got != want {
			t.Errorf("direction(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, c := range formats {
		f.Add("cp-{x:"+c.spec+"}", 1.5)
	}
	f.Add("{{a}}[{x}]/{x:02d}", -1e300)
	f.Fuzz(func(t *testing.T, text string, v float64) {
		p, err := ParsePattern(text)
		if err != nil {
			return
		}
		for _, value := range []any{v, int64(v)} {
			name, err := p.Format(func(string) (any, bool) { return value, true })
			if err == nil && !strings.Contains(name, "/") && !p.Match(name) {
				t.Errorf("Match(%q) of %q = false", name, text)
			}
		}
	})
}
