package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// flushRounds is how many saves' flushes are measured at a time.
const flushRounds = 20

// flushes returns how long the order of docs/durability.md takes that publishes
// a small checkpoint and removes an old one, with nothing but the bytes and the
// calls it needs: what a save must cost that keeps those promises.
func (l *limits) flushes(size int64) (float64, error) {
	dir := filepath.Join(l.dir, "flushes")
	if err := os.Mkdir(dir, 0o777); err != nil {
		return 0, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for i := range flushRounds {
		if err = l.publish(d, strconv.Itoa(i), size); err != nil {
			break
		}
	}
	took := time.Since(start).Seconds() / flushRounds
	return took, errors.Join(err, d.Close(), os.RemoveAll(dir))
}

func (l *limits) publish(d *os.File, name string, size int64) error {
	dir := d.Name()
	data, receipt, index, state := filepath.Join(dir, name+".data"), filepath.Join(dir, name+".receipt"), filepath.Join(dir, name+".index"), filepath.Join(dir, "checkpoint")
	errs := make([]error, 4)
	var wait sync.WaitGroup
	wait.Go(func() { errs[0] = l.flushed(data, size) })
	wait.Go(func() { errs[1] = l.flushed(receipt, 1<<10) })
	wait.Go(func() { errs[2] = l.flushed(index, 1<<10) })
	wait.Go(func() { errs[3] = l.flushed(state, 1<<10) })
	wait.Wait()
	steps := []func() error{
		func() error { return errors.Join(errs...) },
		func() error { return errors.Join(rename(data), rename(receipt), d.Sync()) },
		func() error { return errors.Join(rename(index), d.Sync()) },
		func() error { return errors.Join(rename(state), d.Sync()) },
		func() error { return errors.Join(os.Remove(index), d.Sync(), os.Remove(data), os.Remove(receipt)) },
		func() error { return errors.Join(l.flushed(state, 1<<10), rename(state)) },
	}
	for step := range slices.Values(steps) {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func rename(name string) error { return os.Rename(name+".new", name) }

// flushed writes the file that rename gives its name to.
func (l *limits) flushed(name string, size int64) (err error) {
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for size > 0 {
		n, err := f.Write(l.from.Bytes[:min(size, copyPiece)])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return unix.Fdatasync(int(f.Fd()))
}
