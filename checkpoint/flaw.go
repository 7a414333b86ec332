package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ckpt-dev/ckpt/format"
)

// flaw is what is wrong with one of the small files beside a checkpoint, in a
// sentence without offsets: people can read these files, and mend them.
type flaw struct {
	file, reason string
	kind         error // for errors.Is, not in the sentence
}

func (f *flaw) Error() string { return f.file + ": " + f.reason }
func (f *flaw) Unwrap() error { return f.kind }

// flawed is the error of a file that does not hold what it should.
func flawed(file, reason string, args ...any) error {
	return &flaw{file, fmt.Sprintf(reason, args...), format.ErrCorrupt}
}

// unlessIO returns err if it is about reading, and nil if what was read is
// not what it should be.
func unlessIO(err error) error {
	var place *fs.PathError
	if errors.As(err, &place) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
