package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// asideJSON is a broken checkpoint that was put aside.
type asideJSON struct {
	Path   string     `json:"path"` // the directory it is in now
	Name   string     `json:"name"`
	Time   *time.Time `json:"time,omitempty"`
	Bytes  int64      `json:"bytes"`
	Cause  string     `json:"cause,omitempty"`
	File   string     `json:"file,omitempty"`
	Tensor string     `json:"tensor,omitempty"`
	Offset int64      `json:"offset,omitempty"`
	Pinned string     `json:"pinned,omitempty"`
}

// aside tells what was put aside of a directory's checkpoints. Who asks for
// one of its checkpoints does not ask for that.
func (a *app) aside(ctx context.Context, path string) ([]asideJSON, error) {
	p, err := locate(path)
	if err != nil || p.path != "" {
		return nil, nil
	}
	list, err := checkpoint.Quarantined(ctx, local.Dir(p.root))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || ctx.Err() != nil {
		return nil, nil // which who lists tells, too
	}
	var told []asideJSON
	for _, c := range list {
		one := asideJSON{Path: p.name(c.Where), Name: c.Path, Bytes: c.Size, Cause: c.Cause,
			File: c.File, Tensor: c.Tensor, Offset: c.Offset, Pinned: c.Pinned}
		if !c.Time.IsZero() {
			one.Time = &c.Time
		}
		told = append(told, one)
		if !a.json {
			a.note(one.text())
		}
	}
	return told, err
}

// text is the line for people.
func (j asideJSON) text() string {
	text := fmt.Sprintf("%s, broken, was put aside to %s", j.Name, j.Path)
	if j.Pinned != "" {
		text += " (pinned: " + j.Pinned + ")"
	}
	if j.Cause == "" {
		return text + ", not all of it"
	}
	return text + ": " + j.Cause
}
