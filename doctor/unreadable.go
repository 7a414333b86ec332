package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/filename"
)

// unlessUnreadable returns err unless it says that a file could not be read:
// then there is a finding, about the checkpoint p unless that is "", and what is
// left can be looked at.
func (x *examiner) unlessUnreadable(ctx context.Context, p string, err error) error {
	file := new(fs.PathError)
	if ctx.Err() != nil || !errors.As(err, &file) {
		return err
	}
	name := x.named(p, file.Path)
	if p == "" {
		p = name
		if f, ok := filename.Parse(name); ok {
			p = f.Path
		}
	}
	x.unread[p] = true
	f := Finding{Kind: Unreadable, Severity: Problem, step: stepLeftovers, Files: []string{name}, Err: err,
		What: name + " could not be read", Why: err.Error(),
		Fix: "nothing: it may be whole. See to the disk, the connection or the permission that the reason names, and run ckpt doctor again"}
	if x.isCheckpoint(p) {
		f.Path = p
	}
	// Of bad sectors parity is made; what else it meets is told already.
	if mended := f; errors.Is(err, syscall.EIO) && f.Path != "" && x.byParity(ctx, &mended) == nil && mended.Fixable {
		f = mended
	}
	same := func(g Finding) bool { return g.Kind == Unreadable && slices.Equal(g.Files, f.Files) }
	if !slices.ContainsFunc(x.found, same) {
		x.find(f)
	}
	return nil
}

// named returns the name in the directory of a file that an error calls by its
// whole path.
func (x *examiner) named(p, at string) string {
	at = filepath.ToSlash(at)
	for name := range x.files {
		if at == name || strings.HasSuffix(at, "/"+name) && (p == "" || strings.HasPrefix(name, p)) {
			return name
		}
	}
	return path.Base(at)
}

func (x *examiner) isCheckpoint(p string) bool {
	s := x.sets[p]
	return s != nil && (s.Index != nil || len(s.Data) > 0)
}

// restrain lets nothing be mended that what could not be read might forbid: it
// may be the newest checkpoint, or say that something is pinned.
func (x *examiner) restrain() {
	if len(x.unread) == 0 {
		return
	}
	// What lacks only what could not be read is no leftover.
	x.found = slices.DeleteFunc(x.found, func(f Finding) bool {
		return f.step == stepLeftovers && f.Path != "" && x.unread[f.Path] && f.Kind != Unreadable
	})
	names := sorted(x.unread)
	for i := range x.found {
		if f := &x.found[i]; f.Fixable && slices.Contains([]step{stepAside, stepState, stepLeftovers}, f.step) {
			f.Fixable, f.Fix = false, fmt.Sprintf("nothing as long as %s cannot be read", names[0])
		}
	}
}
