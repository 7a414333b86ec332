package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// number is a float64 that JSON can hold also when it is not finite: a loss
// of NaN is what one wants to find in a receipt. Such a one is a string,
// "NaN", "+Inf" or "-Inf".
type number float64

// MarshalJSON returns a JSON number, or a string when there is no such number.
func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(v, 'g', -1, 64)), nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON takes both forms. A finite number in quotes is not one.
func (n *number) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '"' {
		return json.Unmarshal(text, (*float64)(n))
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !math.IsNaN(v) && !math.IsInf(v, 0) {
		return fmt.Errorf("metric %q is not a number, NaN or infinite", s)
	}
	*n = number(v)
	return nil
}

// crcHex is a CRC-32C as people compare them: "5450aa43".
type crcHex uint32

// MarshalText returns eight hexadecimal digits.
func (c crcHex) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%08x", uint32(c)), nil }

// UnmarshalText reads hexadecimal digits.
func (c *crcHex) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 32)
	if err != nil {
		return fmt.Errorf("crc32c %q is not a hexadecimal number of 32 bits", text)
	}
	*c = crcHex(v)
	return nil
}

// milliseconds converts without the overflow that a hostile number causes.
func milliseconds(ms float64) time.Duration {
	ns := ms * float64(time.Millisecond)
	if !(ns >= 0) { // negative and NaN
		return 0
	}
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(ns))
}
