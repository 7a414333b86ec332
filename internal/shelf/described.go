package shelf

import (
	"context"
	"hash/crc32"
	"io"
	"path"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// File is what a receipt says of a file of its checkpoint.
type File struct {
	Name   string // relative to the checkpoint's own directory
	Size   int64
	CRC32C uint32 // of the whole file, not masked
	Linked string // the name it was first written under, if by another save; "" if by this one
}

// Told reads what the receipt of the checkpoint path says of its files, parity
// included. It returns none where the receipt cannot be understood.
type Told func(ctx context.Context, dir storage.Dir, path string) ([]File, error)

// IsDescribed reports whether a set's receipt is about the files that are
// there: their sizes, and the index's bytes. The data's bytes are not read.
func IsDescribed(ctx context.Context, dir storage.Dir, s *Set, told Told) (bool, error) {
	files, err := described(ctx, dir, s, told)
	return files != nil, err
}

// described returns what the receipt of such a set says, nil of others.
func described(ctx context.Context, dir storage.Dir, s *Set, told Told) ([]File, error) {
	if s == nil || !s.Complete() || s.Receipt == nil {
		return nil, nil
	}
	files, err := told(ctx, dir, s.Path)
	if err != nil {
		return nil, err
	}
	sizes := s.sizes()
	for _, f := range files {
		if n, ok := filename.Parse(f.Name); ok && n.Part == filename.Parity {
			continue // a checkpoint is as good without
		}
		if size, ok := sizes[f.Name]; !ok || size != f.Size {
			return nil, nil
		}
	}
	index := among(files, path.Base(s.Index.Name))
	if index == nil {
		return nil, nil
	}
	sum, err := sumFile(ctx, dir, s.Index.Name)
	if err != nil || sum != index.CRC32C {
		return nil, err
	}
	return files, nil
}

// among finds a file by the last element of its name.
func among(files []File, base string) *File {
	for i := range files {
		if files[i].Name == base {
			return &files[i]
		}
	}
	return nil
}

// sizes returns those of the set's files, by the last elements of their names.
func (s *Set) sizes() map[string]int64 {
	sizes := map[string]int64{path.Base(s.Index.Name): s.Index.Size}
	for _, d := range s.Data {
		sizes[path.Base(d.Name)] = d.Size
	}
	return sizes
}

// sumFile returns the CRC-32C of a whole file.
func sumFile(ctx context.Context, dir storage.Dir, name string) (uint32, error) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err = io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	if closed := f.Close(); err == nil {
		err = closed
	}
	return sum.Sum32(), err
}
