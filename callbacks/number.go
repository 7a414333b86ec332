package callbacks

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// format writes an int64 or a float64.
func (s spec) format(value any) (string, error) {
	switch v := value.(type) {
	case int64:
		if s.kind == 0 || strings.IndexByte("bdoxX", s.kind) >= 0 {
			return s.integer(v)
		}
		return s.float(float64(v))
	case float64:
		if strings.IndexByte("bdoxX", s.kind) >= 0 {
			return "", fmt.Errorf("type %q is for whole numbers, %v is not one", s.kind, v)
		}
		return s.float(v)
	}
	return "", fmt.Errorf("%T is not a number", value)
}

func (s spec) integer(v int64) (string, error) {
	base := map[byte]int{'b': 2, 'o': 8, 'x': 16, 'X': 16}[s.kind]
	switch {
	case s.precision >= 0:
		return "", fmt.Errorf("a whole number has no precision")
	case s.positive:
		return "", fmt.Errorf("a whole number has no negative zero")
	case base != 0 && s.grouping == ",":
		return "", fmt.Errorf("no commas with type %q", s.kind)
	case base == 0:
		base = 10
	}
	n := number{sign: s.signOf(v < 0), digits: strings.TrimPrefix(strconv.FormatInt(v, base), "-")}
	if s.alternate && base != 10 {
		n.prefix = "0" + string(s.kind)
	}
	if s.kind == 'X' {
		n.digits = strings.ToUpper(n.digits)
	}
	return s.layout(n), nil
}

func (s spec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case s.sign == '-':
		return ""
	}
	return string(s.sign)
}

func (s spec) float(v float64) (string, error) {
	text := s.digits(math.Abs(v))
	negative := math.Signbit(v) && !math.IsNaN(v)
	if s.positive && strings.Trim(text, "0.e+-%") == "" { // of what is written, not of v
		negative = false
	}
	n := number{sign: s.signOf(negative)}
	whole := len(text) - len(strings.TrimLeft(text, "0123456789"))
	n.digits, n.rest = text[:whole], text[whole:]
	if strings.IndexByte("EFG", s.kind) >= 0 {
		n.rest = strings.ToUpper(n.rest)
	}
	return s.layout(n), nil
}

// digits writes a value without a sign as Python does (pystrtod.c,
// format_float_short).
func (s spec) digits(v float64) string {
	end := ""
	if s.kind == '%' {
		v, end = v*100, "%"
	}
	if math.IsNaN(v) {
		return "nan" + end
	}
	if math.IsInf(v, 0) {
		return "inf" + end
	}
	precision := s.precision
	if precision < 0 {
		precision = 6
	}
	switch s.kind {
	case 'e', 'E':
		return s.pointed(strconv.FormatFloat(v, 'e', precision, 64))
	case 'f', 'F', '%':
		return s.pointed(strconv.FormatFloat(v, 'f', precision, 64)) + end
	case 'g', 'G':
		return s.general(v, max(precision, 1), max(precision, 1))
	}
	if s.precision < 0 {
		return s.shortest(v)
	}
	precision = max(precision, 1)
	return withPoint(s.general(v, precision, precision-1))
}

// pointed adds the point that # asks for.
func (s spec) pointed(text string) string {
	if !s.alternate || strings.Contains(text, ".") {
		return text
	}
	mantissa, exponent, has := strings.Cut(text, "e")
	if has {
		exponent = "e" + exponent
	}
	return mantissa + "." + exponent
}

// general is C's %g, with an exponent from 10**limit on.
func (s spec) general(v float64, precision, limit int) string {
	scientific := strconv.FormatFloat(v, 'e', precision-1, 64)
	mantissa, exponent := exponentOf(scientific)
	if exponent >= -4 && exponent < limit {
		text := strconv.FormatFloat(v, 'f', precision-1-exponent, 64)
		if s.alternate {
			return s.pointed(text)
		}
		return withoutZeros(text)
	}
	if s.alternate {
		return s.pointed(scientific)
	}
	return withoutZeros(mantissa) + scientific[len(mantissa):]
}

// shortest is repr: the fewest digits that mean v.
func (s spec) shortest(v float64) string {
	scientific := strconv.FormatFloat(v, 'e', -1, 64)
	if _, exponent := exponentOf(scientific); exponent < -4 || exponent >= 16 {
		return s.pointed(scientific)
	}
	return withPoint(strconv.FormatFloat(v, 'f', -1, 64))
}

// exponentOf takes "1.5e+03" apart.
func exponentOf(scientific string) (mantissa string, exponent int) {
	at := strings.IndexByte(scientific, 'e')
	exponent, _ = strconv.Atoi(scientific[at+1:]) // which strconv has written
	return scientific[:at], exponent
}

func withoutZeros(text string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// withPoint makes a float look like one.
func withPoint(text string) string {
	switch {
	case strings.ContainsAny(text, "e"):
		return text
	case strings.HasSuffix(text, "."):
		return text + "0"
	case strings.Contains(text, "."):
		return text
	}
	return text + ".0"
}
