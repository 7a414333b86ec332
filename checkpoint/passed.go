package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
)

// Broken is a checkpoint that was passed over, or mended.
type Broken struct {
	Path string
	// Err is why: format.ErrCorrupt, fs.ErrNotExist of one of its files, or
	// ErrRejected.
	Err error
	// Quarantined is the directory that its files were put aside to, "" if
	// they are where they were.
	Quarantined string
	// Mended is what its parity has made good: then it was not passed over, but
	// is the one that was found, or restored.
	Mended []Mended
}

// damaged reports whether it was found damaged, and still is.
func (b Broken) damaged() bool { return isDamage(b.Err) && b.Mended == nil }

func anyDamaged(passed []Broken) bool { return slices.ContainsFunc(passed, Broken.damaged) }

// ErrRejected is why a checkpoint was passed over that carries the mark of a
// failed validation; see Validation and Reject.
var ErrRejected = errors.New("rejected")

// ErrNoneValid is returned where there are checkpoints and none of them is
// valid. It is not fs.ErrNotExist, so that nobody who takes that for a fresh
// start begins from nothing. The error is a *NoneValidError.
var ErrNoneValid = errors.New("no checkpoint is valid")

// NoneValidError tells what is wrong with each checkpoint there is.
type NoneValidError struct {
	Broken []Broken // newest first
}

// maxBroken bounds how many an error message names.
const maxBroken = 10

func (e *NoneValidError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, of %d:", ErrNoneValid, len(e.Broken))
	for i, one := range e.Broken {
		if i == maxBroken {
			fmt.Fprintf(&b, "\n\tand %d more", len(e.Broken)-i)
			break
		}
		fmt.Fprintf(&b, "\n\t%s: %v", one.Path, one.Err)
	}
	return b.String()
}

// Is reports whether target is ErrNoneValid. What is wrong with the single
// checkpoints is not looked at: a missing file in one is not a missing
// checkpoint.
func (e *NoneValidError) Is(target error) bool { return target == ErrNoneValid }

// isDamage reports whether err says that a checkpoint is not whole, and not
// that it could not be read this time.
func isDamage(err error) bool {
	return errors.Is(err, format.ErrCorrupt) || errors.Is(err, fs.ErrNotExist)
}

// rejection returns the error of a checkpoint that is marked as rejected, nil
// for others. A receipt that is missing or broken marks nothing; one that
// could not be read this time might.
func rejection(ctx context.Context, dir storage.Dir, stored string) error {
	r, err := ReadReceipt(ctx, dir, stored)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unlessIO(err)
	case r.Rejected == "":
		return nil
	}
	return fmt.Errorf("%w: %s", ErrRejected, r.Rejected)
}
