package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// held is how much memory coldPages takes and keeps, 1.5 GiB for 1 GiB of data:
// as much as a machine is seen to keep of what it freed, and half as much again.
func held(size int64) int { return int(size + size/2) }

// force does what it can to have new page-cache pages for size bytes come from
// where p says. release ends that.
func force(p pages, scratch string, size int64) (release func() error, err error) {
	if p == coldPages {
		taken, err := unix.Mmap(-1, 0, held(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
		if err != nil {
			return nil, fmt.Errorf("memory for cold pages: %w", err)
		}
		return func() error { return unix.Munmap(taken) }, nil
	}
	name := filepath.Join(scratch, "warm")
	err = writeZeros(name, size)
	return func() error { return nil }, errors.Join(err, os.Remove(name))
}

func writeZeros(name string, size int64) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for piece := make([]byte, 1<<20); size > 0; size -= int64(len(piece)) {
		if _, err := f.Write(piece[:min(size, int64(len(piece)))]); err != nil {
			return err
		}
	}
	return nil
}

// flush flushes every file below dir, and the directories, dir's own parent
// included.
func flush(dir string) error {
	if err := eachFile(dir, true, (*os.File).Sync); err != nil {
		return err
	}
	return do(filepath.Dir(dir), (*os.File).Sync)
}

// evict takes the files below dir out of the page cache. They must be flushed.
func evict(dir string) error {
	return eachFile(dir, false, func(f *os.File) error {
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

// fetch reads the files below dir into the page cache.
func fetch(dir string) error {
	piece := make([]byte, 1<<20)
	return eachFile(dir, false, func(f *os.File) error {
		for {
			if _, err := f.Read(piece); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	})
}

// eachFile calls visit with every file below dir, and if asked to with the
// directories after what is in them.
func eachFile(dir string, dirs bool, visit func(*os.File) error) error {
	var after []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			after = append(after, path)
			return err
		}
		return do(path, visit)
	})
	for i := len(after) - 1; i >= 0 && dirs && err == nil; i-- {
		err = do(after[i], visit)
	}
	return err
}

func do(path string, visit func(*os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(visit(f), f.Close())
}
