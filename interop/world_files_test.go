//go:build interop

package interop

import (
	"context"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

func (w *world) remove(s step) (string, error) {
	files, err := w.files()
	if err != nil {
		return "", err
	}
	there := make(map[string]bool)
	for name := range files {
		if p := strings.TrimSuffix(strings.TrimSuffix(name, ".index"), data); !strings.HasSuffix(name, "checkpoint") {
			there[p] = true
		}
	}
	if len(there) == 0 {
		return "", nil
	}
	path := slices.Sorted(maps.Keys(there))[s.Pick%len(there)]
	for _, part := range s.Parts {
		if err := os.Remove(w.path(path + part)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return path, nil
}

func (w *world) edit(text *string) error {
	if text == nil {
		err := os.Remove(w.path("checkpoint"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := os.MkdirAll(w.path(""), 0o777); err != nil {
		return err
	}
	return os.WriteFile(w.path("checkpoint"), latin1(*text), 0o666)
}

// latin1 turns the JSON form of a file, a character for each byte, back.
func latin1(text string) []byte {
	var b []byte
	for _, r := range text {
		b = append(b, byte(r))
	}
	return b
}

func (w *world) move(ctx context.Context, keep bool) error {
	was := w.path("")
	w.home++
	for _, at := range w.slots {
		if err := at.close(ctx); err != nil {
			return err
		}
	}
	if _, err := os.Stat(was); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if keep {
		return os.CopyFS(w.path(""), os.DirFS(was))
	}
	return os.Rename(was, w.path(""))
}

// look fills in what there is.
func (w *world) look(r *record) (err error) {
	if r.Files, err = w.files(); err != nil {
		return err
	}
	text, err := os.ReadFile(w.path("checkpoint"))
	if err == nil {
		var s strings.Builder
		for _, b := range text {
			s.WriteRune(rune(b))
		}
		state := s.String()
		r.State = &state
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.Found, err = checkpoint.Latest(context.Background(), w.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// files returns all files and their checksums, without those that TensorFlow
// does not have.
func (w *world) files() (map[string]uint32, error) {
	files := make(map[string]uint32)
	err := filepath.WalkDir(w.path(""), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(w.path(""), path)
		if err != nil || name == "checkpoint" || strings.HasSuffix(name, ".receipt.json") || strings.HasPrefix(filepath.Base(name), ".ckpt.") {
			return err
		}
		content, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = crc32.ChecksumIEEE(content)
		return err
	})
	return files, err
}

func (at *slot) seen() *seen {
	if at.c == nil {
		return nil
	}
	s := &seen{Value: float64(at.v.Value[0]), Count: at.c.SaveCounter()}
	if at.m != nil {
		s.Managed, s.List, s.Latest = true, at.m.Checkpoints(), at.m.LatestCheckpoint()
	}
	return s
}

// end closes the managers and removes all files.
func (w *world) end() error {
	var errs []error
	for _, at := range w.slots {
		errs = append(errs, at.close(context.Background()))
	}
	return errors.Join(append(errs, os.RemoveAll(w.base))...)
}
