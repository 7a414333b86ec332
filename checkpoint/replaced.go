package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
)

// errReplaced is what reading gives of a checkpoint that was saved again or
// removed after it was opened: bytes that do not fit the index that was read
// then are no damage.
var errReplaced = fmt.Errorf("was saved again or removed after it was opened, load it again: %w", fs.ErrNotExist)

// unlessReplaced returns err, which is about damage, or another error if the
// files are no longer those of the checkpoint that was opened.
func (r *Reader) unlessReplaced(err error) error {
	gone, looked := r.replaced()
	switch {
	case looked != nil:
		return alsoFailed(err, looked)
	case gone:
		return &fs.PathError{Op: "read", Path: r.path, Err: errReplaced}
	}
	return err
}

// isReplaced compares the index that was opened with the one that the
// checkpoint has now. Two saves of the same bytes are the same checkpoint.
func (r *Reader) isReplaced() (bool, error) {
	if r.v2 == nil {
		return false, nil
	}
	// Until an overwrite is settled the old index stands beside new data. This is
	// asked first: it may be settled between the two questions.
	now, err := locatePath(r.files.Context(), r.files.Dir, r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil || now.Stored != r.stored:
		return err == nil, err
	}
	return r.files.Replaced(tensorbundle.IndexName(r.stored))
}
