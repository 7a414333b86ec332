package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// saved returns a directory with ckpt-1 of one variable.
func saved(t *testing.T) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	c, _ := one(1)
	if _, err := c.Save(background(), dir, "ckpt"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// flip changes one bit of a file.
func flip(t *testing.T, dir storage.Dir, name string, at int, bit uint) {
	t.Helper()
	data := []byte(readFile(t, dir, name))
	data[at] ^= 1 << bit
	writeFile(t, dir, name, string(data))
}

func restoreOne(dir storage.Dir, path string) error {
	c, _ := one(0)
	_, err := c.Restore(background(), dir, path)
	return err
}

// restoreOrInitialize is for directories where to begin anew would be wrong.
func restoreOrInitialize(dir storage.Dir) error {
	c, _ := one(0)
	m, err := NewManager(background(), c, dir, &ManagerOptions{InitFn: func(context.Context) error {
		return errors.New("initialized")
	}})
	if err != nil {
		return err
	}
	_, err = m.RestoreOrInitialize(background())
	return err
}

// TestSentences keeps the texts of the errors that people see.
func TestSentences(t *testing.T) {
	var b strings.Builder
	for _, test := range []struct {
		what string
		err  func(dir storage.Dir) error
		is   error
	}{
		{"a byte of a tensor flipped", func(dir storage.Dir) error {
			flip(t, dir, "ckpt-1.data-00000-of-00001", 2, 0)
			return restoreOne(dir, "ckpt-1")
		}, format.ErrCorrupt},
		{"a byte of the index flipped", func(dir storage.Dir) error {
			flip(t, dir, "ckpt-1.index", 5, 0)
			return restoreOne(dir, "ckpt-1")
		}, format.ErrCorrupt},
		{"the data file cut short", func(dir storage.Dir) error {
			writeFile(t, dir, "ckpt-1.data-00000-of-00001", "abc")
			return restoreOne(dir, "ckpt-1")
		}, format.ErrCorrupt},
		{"the data file missing", func(dir storage.Dir) error {
			remove(t, dir, "ckpt-1.data-00000-of-00001")
			return restoreOne(dir, "ckpt-1")
		}, fs.ErrNotExist},
		{"no such checkpoint", func(dir storage.Dir) error { return restoreOne(dir, "ckpt-2") }, fs.ErrNotExist},
		{"a file of something else", func(dir storage.Dir) error {
			writeFile(t, dir, "notes.txt", "not a checkpoint")
			return restoreOne(dir, "notes.txt")
		}, ErrForeign},
		{"a data file without its index", func(dir storage.Dir) error {
			writeFile(t, dir, "x.data-00000-of-00001", "")
			return restoreOne(dir, "x.data-00000-of-00001")
		}, fs.ErrNotExist},
		{"a state file that names what is gone", func(dir storage.Dir) error {
			remove(t, dir, "ckpt-1.index")
			return restoreOrInitialize(dir)
		}, fs.ErrNotExist},
		{"a checkpoint without its data file, and no state file", func(dir storage.Dir) error {
			remove(t, dir, "ckpt-1.data-00000-of-00001")
			remove(t, dir, filename.State)
			return restoreOrInitialize(dir)
		}, fs.ErrNotExist},
		{"a path that leaves the directory", func(dir storage.Dir) error { return restoreOne(dir, "../ckpt-1") }, fs.ErrInvalid},
		{"an empty directory", func(storage.Dir) error { return restoreOne(mem.Dir(), "") }, fs.ErrNotExist},
		{"another shape", func(dir storage.Dir) error {
			_, err := New(nil, Objects{"v": variable(1, 2)}, nil).Restore(background(), dir, "ckpt-1")
			return err
		}, trackable.ErrNotMatched},
		{"an empty state file", func(dir storage.Dir) error {
			writeFile(t, dir, filename.State, "")
			_, err := ReadState(background(), dir)
			return err
		}, format.ErrCorrupt},
		{"a torn state file", func(dir storage.Dir) error {
			writeFile(t, dir, filename.State, `model_checkpoint_path: "ckpt-`)
			_, err := ReadState(background(), dir)
			return err
		}, format.ErrCorrupt},
		{"a state file that names what is not there", func(dir storage.Dir) error {
			writeFile(t, dir, filename.State, `model_checkpoint_path: "ckpt-9"`)
			return VerifyState(background(), dir)
		}, fs.ErrNotExist},
		{"a receipt with a text for a number", func(dir storage.Dir) error {
			writeFile(t, dir, "ckpt-1.receipt.json", `{"schema": "1"}`)
			_, err := ReadReceipt(background(), dir, "ckpt-1")
			return err
		}, format.ErrCorrupt},
		{"a receipt about files of another", func(dir storage.Dir) error {
			text := strings.ReplaceAll(readFile(t, dir, "ckpt-1.receipt.json"), "ckpt-1.data", "ckpt-2.data")
			writeFile(t, dir, "ckpt-1.receipt.json", summed(text))
			return load(t, dir, "ckpt-1").Verify(background(), nil)
		}, format.ErrCorrupt},
		{"a receipt that was edited", func(dir storage.Dir) error {
			writeFile(t, dir, "ckpt-1.receipt.json", "{\n  \"schema\": 2,\n  \"crc32c\": \"00000000\"\n}\n")
			_, err := ReadReceipt(background(), dir, "ckpt-1")
			return err
		}, format.ErrCorrupt},
		{"a receipt without its checksum", func(dir storage.Dir) error {
			writeFile(t, dir, "ckpt-1.receipt.json", "{\n  \"schema\": 2\n}\n")
			_, err := ReadReceipt(background(), dir, "ckpt-1")
			return err
		}, format.ErrCorrupt},
		{"a state with times for some paths only", func(dir storage.Dir) error {
			s := State{ModelCheckpointPath: "b", AllModelCheckpointPaths: []string{"a", "b"}}
			s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, at(1).t)
			return WriteState(background(), dir, s)
		}, nil},
		{"a receipt that is none", func(dir storage.Dir) error {
			writeFile(t, dir, "ckpt-1.receipt.json", "[]")
			_, err := ReadReceipt(background(), dir, "ckpt-1")
			return err
		}, format.ErrCorrupt},
		{"a receipt of schema 0", func(dir storage.Dir) error {
			writeFile(t, dir, "ckpt-1.receipt.json", "{}")
			_, err := ReadReceipt(background(), dir, "ckpt-1")
			return err
		}, format.ErrCorrupt},
		{"the state file's own name", func(dir storage.Dir) error {
			c, _ := one(1)
			return c.Write(background(), dir, "checkpoint")
		}, nil},
		{"a reserved name", func(dir storage.Dir) error {
			c, _ := one(1)
			return c.Write(background(), dir, "ckpt-1.recovery")
		}, nil},
		{"an object with the root's name", func(dir storage.Dir) error {
			return New(variable(1), Objects{"root": variable(2)}, nil).Write(background(), dir, "x")
		}, nil},
		{"an object with the name of a child of the root", func(dir storage.Dir) error {
			root := new(trackable.Node).Track("a", variable(1))
			return New(root, Objects{"a": variable(2)}, nil).Write(background(), dir, "x")
		}, nil},
		{"an object that is nil", func(dir storage.Dir) error {
			return New(nil, Objects{"v": nil}, nil).Write(background(), dir, "x")
		}, nil},
		{"a read-only directory", func(dir storage.Dir) error {
			c, _ := one(1)
			_, err := c.Save(background(), storage.ReadOnly(dir), "ckpt")
			return err
		}, fs.ErrPermission},
	} {
		err := test.err(saved(t))
		if err == nil || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v, want an error that is %v", test.what, err, test.is)
		}
		fmt.Fprintf(&b, "# %s\n%v\n\n", test.what, err)
	}
	golden.Equal(t, "sentences.txt", []byte(b.String()))
}

// TestAnyFlippedBitIsFoundBeforeAnythingChanges flips each bit of each byte
// of a checkpoint.
func TestAnyFlippedBitIsFoundBeforeAnythingChanges(t *testing.T) {
	source := mem.Dir()
	a, b := variable(1, 2, 3), variable(4)
	c := New(nil, Objects{"a": a, "b": b, "s": &trackable.StringVariable{Value: []string{"text"}}}, nil)
	if err := c.Write(background(), source, "m"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m.index", "m.data-00000-of-00001"} {
		data := readFile(t, source, name)
		for i := range len(data) * 8 {
			dir := mem.Dir()
			for _, n := range listing(t, source) {
				writeFile(t, dir, n, readFile(t, source, n))
			}
			flip(t, dir, name, i/8, uint(i%8))
			flipped(t, dir, name, i)
		}
	}
}

// flipped restores from a damaged checkpoint.
func flipped(t *testing.T, dir storage.Dir, name string, bit int) {
	t.Helper()
	a, b, s := variable(-1, -1, -1), variable(-1), &trackable.StringVariable{Value: []string{"old"}}
	_, err := New(nil, Objects{"a": a, "b": b, "s": s}, nil).Read(background(), dir, "m")
	if err == nil {
		t.Errorf("bit %d of %s flipped: no error", bit, name)
	}
	if a.Value[0] != -1 || b.Value[0] != -1 || s.Value[0] != "old" {
		t.Errorf("bit %d of %s flipped: objects changed", bit, name)
	}
	var corrupt *format.CorruptError
	if err != nil && name != "m.index" && (!errors.As(err, &corrupt) || corrupt.Part != name || corrupt.Tensor == "") {
		t.Errorf("bit %d of %s flipped: %v, want file and tensor named", bit, name, err)
	}
}
