package cli

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/ckpt-dev/ckpt/tensor"
)

// printValues prints the array as nested JSON lists, element by element.
// Numbers are numbers, whatever their size; what JSON has no number for is
// the string "NaN", "Infinity" or "-Infinity"; a complex number is an object
// of "re" and "im"; a string that is not UTF-8 is an object of its "base64".
// An array without elements is [], whatever its shape. Write errors are kept
// by w.
func printValues(w *bufio.Writer, a *array) error {
	n := newNest(a.shape)
	empty := true
	for t, err := range a.pieces() {
		if err == nil {
			err = broken(w)
		}
		if err != nil {
			return err
		}
		for i := range t.NumElements() {
			printBrackets(w, n)
			_, _ = w.WriteString(jsonElement(t, i))
			empty = false
		}
	}
	if empty {
		_, _ = w.WriteString("[]")
		return nil
	}
	_, _ = w.WriteString(strings.Repeat("]", len(a.shape)))
	return nil
}

// printBrackets writes what stands before the next element.
func printBrackets(w *bufio.Writer, n *nest) {
	first, turned := n.next()
	if first {
		_, _ = w.WriteString(strings.Repeat("[", len(n.shape)))
		return
	}
	_, _ = w.WriteString(strings.Repeat("]", turned) + "," + strings.Repeat("[", turned))
}

func jsonElement(t tensor.Tensor, i int64) string {
	switch t.DType() {
	case tensor.String, tensor.Variant:
		elems, err := t.Strings()
		if err != nil {
			return "null"
		}
		return jsonString(elems[i], t.DType() == tensor.String)
	case tensor.Complex64, tensor.Complex128:
		re, im := splitComplex(t.Format(i))
		return `{"re":` + jsonNumber(re) + `,"im":` + jsonNumber(im) + `}`
	}
	return jsonNumber(t.Format(i))
}

// jsonNumber makes JSON of a number as text, from Tensor.Format or strconv:
// digits stay as they are, which loses nothing.
func jsonNumber(text string) string {
	text = strings.TrimPrefix(text, "+")
	switch strings.ToLower(text) {
	case "nan":
		return `"NaN"`
	case "inf":
		return `"Infinity"`
	case "-inf":
		return `"-Infinity"`
	}
	return text
}

// splitComplex takes "(1.5-2i)" apart: the sign that is not of an exponent
// and not the first is where the imaginary part begins.
func splitComplex(text string) (re, im string) {
	text = strings.TrimSuffix(strings.Trim(text, "()"), "i")
	for i := len(text) - 1; i > 0; i-- {
		if (text[i] == '+' || text[i] == '-') && text[i-1] != 'e' {
			return text[:i], text[i:]
		}
	}
	return text, "0"
}

func jsonString(s string, text bool) string {
	if text && utf8.ValidString(s) {
		return string(marshal(s))
	}
	return string(marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(s))}))
}

// marshal encodes what cannot fail: strings and maps of strings.
func marshal(v any) []byte {
	var b bytes.Buffer
	if err := writeJSON(&b, false, v); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
