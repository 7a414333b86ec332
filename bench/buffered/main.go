// Command buffered saves as a Go program does that thinks no more of it: through
// bufio, with a checksum of each tensor. What it takes is what ours is to beat.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

// file is what a checkpoint is called in its directory.
const file = "model"

type training struct{ data *peer.Data }

func main() {
	t := &training{}
	err := peer.Serve(os.Stdin, os.Stdout, peer.Calls{
		"hello": func(peer.Request) (peer.Answer, error) { return peer.Answer{Version: "of bufio"}, nil },
		"make":  t.make,
		"save":  func(q peer.Request) (peer.Answer, error) { return peer.Answer{}, t.save(q.Dir, nil) },
		"spoil": func(peer.Request) (peer.Answer, error) { t.data.Spoil(); return peer.Answer{}, nil },
		"load":  func(q peer.Request) (peer.Answer, error) { return peer.Answer{}, t.load(q.Dir) },
		"check": func(peer.Request) (peer.Answer, error) { return peer.Answer{}, t.data.Check(t.data.Values) },
		"loop":  t.loop,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "buffered:", err)
		os.Exit(1)
	}
}

func (t *training) make(q peer.Request) (peer.Answer, error) {
	t.data = peer.Make(q.Tensors, q.Elements)
	return peer.Answer{}, nil
}

// view is a tensor's bytes.
func view(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*4)
}

// save writes all values, each followed by its checksum, and calls end before it
// closes the file.
func (t *training) save(dir string, end func(*os.File) error) (err error) {
	f, err := os.Create(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, table := bufio.NewWriterSize(f, 64<<10), crc32.MakeTable(crc32.Castagnoli)
	for _, v := range t.data.Values {
		sum := uint32(0)
		for b := view(v); len(b) > 0; {
			piece := b[:min(len(b), 64<<10)]
			if _, err := w.Write(piece); err != nil {
				return err
			}
			sum, b = crc32.Update(sum, table, piece), b[len(piece):]
		}
		if err := binary.Write(w, binary.LittleEndian, sum); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil || end == nil {
		return err
	}
	return end(f)
}

func (t *training) load(dir string) (err error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, table := bufio.NewReaderSize(f, 64<<10), crc32.MakeTable(crc32.Castagnoli)
	for i, v := range t.data.Values {
		sum, want := uint32(0), uint32(0)
		for b := view(v); len(b) > 0; {
			piece := b[:min(len(b), 64<<10)]
			if _, err := io.ReadFull(r, piece); err != nil {
				return err
			}
			sum, b = crc32.Update(sum, table, piece), b[len(piece):]
		}
		if err := binary.Read(r, binary.LittleEndian, &want); err != nil {
			return err
		}
		if sum != want {
			return fmt.Errorf("tensor %d: checksum is %08x, want %08x", i, sum, want)
		}
	}
	return nil
}

// loop saves durably beside loops, without a copy: these do not change the values.
func (t *training) loop(q peer.Request) (peer.Answer, error) {
	lost, err := peer.Lost(q.Loops, func() error {
		if err := t.save(q.Dir, (*os.File).Sync); err != nil {
			return err
		}
		d, err := os.Open(q.Dir)
		if err != nil {
			return err
		}
		return errors.Join(d.Sync(), d.Close())
	})
	return peer.Answer{Lost: lost}, err
}
