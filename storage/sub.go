package storage

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// Sub returns the part of d whose names begin with dir and a slash, which is
// left out of the names. "." is d itself; an invalid dir makes every call fail.
func Sub(d Dir, dir string) Dir {
	if dir == "." {
		return d
	}
	return &sub{d, dir}
}

type sub struct {
	d   Dir
	dir string
}

// String returns where it is, for errors and logs.
func (s *sub) String() string {
	if named, ok := s.d.(fmt.Stringer); ok {
		return named.String() + "/" + s.dir
	}
	return s.dir
}

// full returns the name in d. Each half is checked by itself: a name such
// as "a/../../b" must not become valid by what is put in front of it.
func (s *sub) full(op, name string) (string, error) {
	if err := CheckName(op, s.dir); err != nil {
		return "", err
	}
	return s.dir + "/" + name, CheckName(op, name)
}

func (s *sub) Open(ctx context.Context, name string) (File, error) {
	full, err := s.full("open", name)
	if err != nil {
		return nil, err
	}
	return s.d.Open(ctx, full)
}

func (s *sub) Create(ctx context.Context, name string) (Pending, error) {
	full, err := s.full("create", name)
	if err != nil {
		return nil, err
	}
	return s.d.Create(ctx, full)
}

func (s *sub) Remove(ctx context.Context, name string) error {
	full, err := s.full("remove", name)
	if err != nil {
		return err
	}
	return s.d.Remove(ctx, full)
}

func (s *sub) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := CheckName("list", s.dir); err != nil {
			yield(Info{}, err)
			return
		}
		for info, err := range s.d.List(ctx, s.dir+"/"+prefix) {
			info.Name = strings.TrimPrefix(info.Name, s.dir+"/")
			if !yield(info, err) {
				return
			}
		}
	}
}

// CommitAll passes the pendings on as they are: they are d's own.
func (s *sub) CommitAll(ctx context.Context, waves ...[]Pending) error {
	return CommitAll(ctx, s.d, waves...)
}

func (s *sub) RemoveAll(ctx context.Context, waves ...[]string) error {
	full := make([][]string, len(waves))
	for i, wave := range waves {
		for _, name := range wave {
			name, err := s.full("remove", name)
			if err != nil {
				return err
			}
			full[i] = append(full[i], name)
		}
	}
	return RemoveAll(ctx, s.d, full...)
}

func (s *sub) Link(ctx context.Context, oldname, newname string) error {
	from, err := s.full("link", oldname)
	if err != nil {
		return err
	}
	to, err := s.full("link", newname)
	if err != nil {
		return err
	}
	return Link(ctx, s.d, from, to)
}

func (s *sub) Lock(ctx context.Context, name string) (Held, error) {
	full, err := s.full("lock", name)
	if err != nil {
		return nil, err
	}
	return Lock(ctx, s.d, full)
}

func (s *sub) Append(ctx context.Context, name string) (Growing, error) {
	full, err := s.full("append", name)
	if err != nil {
		return nil, err
	}
	return Append(ctx, s.d, full)
}

func (s *sub) WriteNew(ctx context.Context, name string, data []byte) error {
	full, err := s.full("create", name)
	if err != nil {
		return err
	}
	return WriteNew(ctx, s.d, full, data)
}

// Forwarding a wrapper's optional methods is all or nothing to Go's type
// system, so wrappers have all of them, and the helpers behind fall back.
var (
	_ optional = (*sub)(nil)
	_ optional = (*readOnly)(nil)
	_ optional = (*trace)(nil)
	_ optional = (*leasing)(nil)
)

type optional interface {
	Batcher
	Linker
	Sharer
	Locker
	Appender
	Tidier
	Excluder
	Spacer
}
