package format

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The errors that formats share; test for them with errors.Is.
var (
	ErrNoTensor    = errors.New("no such tensor")
	ErrCorrupt     = errors.New("corrupt")     // the bytes are wrong: retrying does not help
	ErrUnsupported = errors.New("unsupported") // well-formed, but not for us
)

// CorruptError says where a file's bytes are wrong.
// errors.Is(err, ErrCorrupt) holds. (TensorFlow: DataLossError)
type CorruptError struct {
	Part   string // which file: "index", "data-00000-of-00002", "header"
	Tensor string // whose bytes, if a tensor's
	Offset int64  // of the damaged bytes in Part
	Length int64  // in bytes; 0 when not known
	Reason string // "crc32c is 5450aa43, index says abf5eb7a"
}

// Error returns one sentence: what, where and why. A name that would not
// print, which a damaged or hostile file may have, is quoted.
func (e *CorruptError) Error() string {
	var b strings.Builder
	if e.Tensor != "" {
		fmt.Fprintf(&b, "%s in ", printable(e.Tensor))
	}
	fmt.Fprintf(&b, "%s at byte %d", e.Part, e.Offset)
	if e.Length > 0 {
		fmt.Fprintf(&b, " (%d bytes)", e.Length)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	return b.String()
}

func printable(name string) string {
	quoted := strconv.Quote(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
