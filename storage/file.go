package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// firstGrow is what ReadFile takes on trust from Size; beyond it memory grows
// with the bytes really read.
const firstGrow = 1 << 20

// ReadFile returns the content of the file name.
func ReadFile(ctx context.Context, d Dir, name string) ([]byte, error) {
	f, err := d.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, name)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func readAll(f File, name string) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(f.Size(), firstGrow)) + bytes.MinRead) // MinRead: ReadFrom grows again without it
	n, err := b.ReadFrom(io.NewSectionReader(f, 0, f.Size()))
	if err == nil && n < f.Size() {
		err = pathError("read", name, io.ErrUnexpectedEOF)
	}
	return b.Bytes(), err
}

// WriteFile publishes data as the file name.
func WriteFile(ctx context.Context, d Dir, name string, data []byte) error {
	return writeFile(ctx, d, name, data, Pending.Commit)
}

// WriteFileSoon is WriteFile by Publish: not durable, but one file or the other.
func WriteFileSoon(ctx context.Context, d Dir, name string, data []byte) error {
	return writeFile(ctx, d, name, data, Publish)
}

func writeFile(ctx context.Context, d Dir, name string, data []byte, commit func(Pending) error) error {
	p, err := d.Create(ctx, name)
	if err != nil {
		return err
	}
	_, err = p.Write(data)
	if err == nil {
		err = commit(p)
	}
	if err != nil {
		return withDiscard(err, p)
	}
	return nil
}

// withDiscard discards p after err, and adds what went wrong with that, if
// anything: a file may have stayed behind.
func withDiscard(err error, p Pending) error {
	if failed := p.Discard(); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}
