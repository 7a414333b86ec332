package parity_test

import (
	"bytes"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/parity"
)

func Example() {
	data := bytes.Repeat([]byte("weights "), 100_000)
	var beside bytes.Buffer
	w := parity.NewWriter(&beside)
	if _, err := w.Write(data); err != nil { // while it goes to its own file
		fmt.Println(err)
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	data[300_000] ^= 1 // years later
	var mended bytes.Buffer
	report, err := parity.Repair(
		parity.File{ReaderAt: bytes.NewReader(data), Size: int64(len(data))},
		parity.File{ReaderAt: bytes.NewReader(beside.Bytes()), Size: int64(beside.Len())}, nil, &mended)
	fmt.Println(report.Whole(), report.Repaired, report.Bad[0].Offset, err)
	// Output: true 1 262144 <nil>
}
