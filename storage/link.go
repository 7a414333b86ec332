package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// Linker is a Dir that gives a file a second name without copying it.
// Call Link instead of its method.
type Linker interface {
	// Link is as the function Link. An error that wraps errors.ErrUnsupported
	// makes that copy instead.
	Link(ctx context.Context, oldname, newname string) error
}

// Link makes newname a second name of what oldname is now, durable as after
// Commit; where the place has no links it copies. An existing newname is
// an error that wraps fs.ErrExist.
func Link(ctx context.Context, d Dir, oldname, newname string) error {
	if l, ok := d.(Linker); ok {
		if err := l.Link(ctx, oldname, newname); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return copyFile(ctx, d, oldname, newname)
}

func copyFile(ctx context.Context, d Dir, oldname, newname string) error {
	if err := missing(ctx, d, newname); err != nil {
		return err
	}
	from, err := d.Open(ctx, oldname)
	if err != nil {
		return err
	}
	err = copyTo(ctx, d, newname, from)
	if closed := from.Close(); err == nil {
		err = closed
	}
	return err
}

func copyTo(ctx context.Context, d Dir, newname string, from File) error {
	to, err := d.Create(ctx, newname)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.NewSectionReader(from, 0, from.Size()))
	if err == nil && n < from.Size() {
		err = pathError("link", newname, io.ErrUnexpectedEOF)
	}
	if err == nil {
		err = to.Commit()
	}
	if err != nil {
		return withDiscard(err, to)
	}
	return nil
}

// missing returns nil if there is no file name.
func missing(ctx context.Context, d Dir, name string) error {
	f, err := d.Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return errors.Join(pathError("link", name, fs.ErrExist), f.Close())
}
