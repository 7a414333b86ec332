package format_test

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
)

func Example() {
	var err error = &format.CorruptError{
		Part: "data-00000-of-00001", Tensor: "model/kernel", Offset: 7, Length: 24,
		Reason: "crc32c is 5450aa43, index says abf5eb7a",
	}
	fmt.Println(errors.Is(err, format.ErrCorrupt))
	fmt.Println(err)
	// Output:
	// true
	// model/kernel in data-00000-of-00001 at byte 7 (24 bytes): crc32c is 5450aa43, index says abf5eb7a
}
