package checkpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// maxCause bounds what is read of a cause.json. Ours are below 4 KiB.
const maxCause = 1 << 20

// QuarantinedCheckpoint is a broken checkpoint that was put aside.
type QuarantinedCheckpoint struct {
	Path  string // what it was called
	Where string // the directory that its files are in
	Time  time.Time
	Cause string // the whole sentence; "" if putting it aside was interrupted
	// File, Tensor and Offset are where the damage is, as far as that is known.
	File, Tensor string
	Offset       int64
	Host         string // of who put it aside
	PID          int
	Size         int64  // of its files
	Pinned       string // by its receipt
	Err          error  // why cause.json cannot be read, if it cannot

	files []string // but cause.json
}

// causeJSON is the file cause.json.
type causeJSON struct {
	Schema  int       `json:"schema"`
	Path    string    `json:"path"`
	Time    time.Time `json:"time"`
	Cause   string    `json:"cause"`
	File    string    `json:"file,omitempty"`
	Tensor  string    `json:"tensor,omitempty"`
	Offset  int64     `json:"offset,omitempty"`
	Host    string    `json:"host,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Files   []string  `json:"files"`
	PutBack string    `json:"put_back"`
}

func (q *quarantine) writeCause(ctx context.Context, where, p string, cause error, files []string) error {
	j := causeJSON{Schema: 1, Path: p, Time: q.now().UTC(), Cause: cause.Error(), PID: os.Getpid(),
		PutBack: fmt.Sprintf("move the files, but not this one, back to the directory of %s, the index last", p)}
	// A host without a name is no reason to leave it in the way.
	j.Host, _ = os.Hostname()
	for _, name := range files {
		j.Files = append(j.Files, path.Base(name))
	}
	var corrupt *format.CorruptError
	var missing *fs.PathError
	switch {
	case errors.As(cause, &corrupt):
		j.File, j.Tensor, j.Offset = path.Base(corrupt.Part), corrupt.Tensor, corrupt.Offset
	case errors.As(cause, &missing):
		j.File = path.Base(missing.Path)
	}
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return storage.WriteFile(ctx, q.dir, path.Join(where, filename.Cause), append(text, '\n'))
}

// Quarantined returns the checkpoints of dir that were put aside, the last one
// last. What TensorFlow or a person has put into their directory is not looked
// at, nor is a cause.json that is left of one whose files were moved back.
func Quarantined(ctx context.Context, dir storage.Dir) ([]QuarantinedCheckpoint, error) {
	found := make(map[string]*QuarantinedCheckpoint)
	sets := make(shelf.Sets)
	err := shelf.EachFile(ctx, dir, filename.Quarantine+"/", func(info storage.Info) {
		where := path.Dir(info.Name)
		c := found[where]
		if c == nil {
			c = &QuarantinedCheckpoint{Where: where}
			found[where] = c
		}
		if sets.Add(info); path.Base(info.Name) != filename.Cause {
			c.Size += info.Size
			c.files = append(c.files, path.Base(info.Name))
		}
	})
	if err != nil {
		return nil, err
	}
	for p := range sets {
		found[path.Dir(p)].Path = path.Base(p)
	}
	var list []QuarantinedCheckpoint
	for _, c := range found {
		if err := c.read(ctx, dir); err != nil {
			return nil, err
		}
		if c.Path != "" {
			list = append(list, *c)
		}
	}
	slices.SortFunc(list, func(a, b QuarantinedCheckpoint) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Where, b.Where))
	})
	return list, nil
}

// read reads the cause, and the pin from the receipt.
func (c *QuarantinedCheckpoint) read(ctx context.Context, dir storage.Dir) error {
	var j causeJSON
	name := path.Join(c.Where, filename.Cause)
	text, err := readBounded(ctx, dir, name, maxCause)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil && unlessIO(err) != nil:
		return err
	case err != nil:
		c.Err = err
	default:
		if err := json.Unmarshal(text, &j); err != nil {
			c.Err = flawed(name, "not a cause: %v", plain(err))
		}
	}
	c.Time, c.Cause, c.File, c.Tensor, c.Offset, c.Host, c.PID = j.Time, j.Cause, j.File, j.Tensor, j.Offset, j.Host, j.PID
	// The name of the files counts, not what a file says: it goes into no path.
	if c.Path == "" && filename.Check(j.Path) == nil && slices.ContainsFunc(c.files, isV1Of(path.Base(j.Path))) {
		c.Path = j.Path
	}
	c.files = nil
	if r, err := ReadReceipt(ctx, dir, path.Join(c.Where, c.Path)); err == nil {
		c.Pinned = r.Pinned
	}
	return ctx.Err()
}

// isV1Of knows the files of the V1 checkpoint p, whose names tell less.
func isV1Of(p string) func(name string) bool {
	return func(name string) bool {
		of, _ := filename.CutV1Shard(name)
		return of == p
	}
}
