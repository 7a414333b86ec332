package format_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
)

// readings is a file that notes how long each reading of it is.
type readings struct {
	io.ReaderAt
	sizes []int
}

func (r *readings) ReadAt(p []byte, off int64) (int, error) {
	r.sizes = append(r.sizes, len(p))
	return r.ReaderAt.ReadAt(p, off)
}

// placing is a file that reads to several places.
type placing struct {
	*readings
	places int
}

func (p *placing) ReadvAt(to [][]byte, _ int64) (int, error) {
	p.places = len(to)
	return 7, io.EOF
}

func TestReadvAtReadsOnceToAllPlaces(t *testing.T) {
	for range 2 { // the second time with the buffer of the first
		file := &readings{ReaderAt: strings.NewReader("0123456789")}
		a, b, c := make([]byte, 3), []byte{}, bytes.Repeat([]byte{'-'}, 5)
		n, err := format.ReadvAt(file, [][]byte{a, b, c}, 4)
		if n != 6 || err != io.EOF || string(a) != "456" || string(c) != "789--" || len(file.sizes) != 1 {
			t.Errorf("ReadvAt = %d, %v: %q, %q, readings of %d, want 6, EOF, 456, 789-- by one", n, err, a, c, file.sizes)
		}
		if n, err := format.ReadvAt(file, [][]byte{a}, 0); n != 3 || err != nil || string(a) != "012" {
			t.Errorf("ReadvAt of one place = %d, %v: %q, want 3 and 012", n, err, a)
		}
	}
}

func TestReadvAtLeavesItToWhoCan(t *testing.T) {
	file := &placing{readings: &readings{ReaderAt: strings.NewReader("")}}
	if n, err := format.ReadvAt(file, make([][]byte, 3), 0); n != 7 || err != io.EOF || file.places != 3 || file.sizes != nil {
		t.Errorf("ReadvAt = %d, %v with %d places, readings of %d, want what the file says", n, err, file.places, file.sizes)
	}
}
