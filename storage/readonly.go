package storage

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
)

// ReadOnly returns d without the right to change anything: such calls return
// an error that wraps fs.ErrPermission.
func ReadOnly(d Dir) Dir { return &readOnly{d} }

type readOnly struct{ d Dir }

func denied(op, name string) error {
	return pathError(op, name, fmt.Errorf("storage is opened read-only: %w", fs.ErrPermission))
}

func (r *readOnly) Open(ctx context.Context, name string) (File, error) { return r.d.Open(ctx, name) }

func (r *readOnly) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return r.d.List(ctx, prefix)
}

func (r *readOnly) Create(_ context.Context, name string) (Pending, error) {
	return nil, denied("create", name)
}

func (r *readOnly) Remove(_ context.Context, name string) error { return denied("remove", name) }

func (r *readOnly) Link(_ context.Context, _, newname string) error { return denied("link", newname) }

func (r *readOnly) Lock(_ context.Context, name string) (Held, error) {
	return nil, denied("lock", name)
}

func (r *readOnly) Append(_ context.Context, name string) (Growing, error) {
	return nil, denied("append", name)
}

func (r *readOnly) WriteNew(_ context.Context, name string, _ []byte) error {
	return denied("create", name)
}

// CommitAll can only be given pendings made elsewhere, which it discards as
// any CommitAll that fails.
func (r *readOnly) CommitAll(_ context.Context, waves ...[]Pending) error {
	return discardAll(denied("commit", "."), waves)
}

func (r *readOnly) RemoveAll(_ context.Context, waves ...[]string) error {
	for _, wave := range waves {
		for _, name := range wave {
			return denied("remove", name)
		}
	}
	return nil
}
