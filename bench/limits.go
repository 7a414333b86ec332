package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ckpt-dev/ckpt/internal/offheap"
)

// limitKind is what bounds an operation, whoever does it.
type limitKind string

const (
	limitWrite   limitKind = "raw write"   // O_DIRECT, preallocated, flushed
	limitRead    limitKind = "raw read"    // O_DIRECT
	limitCopy    limitKind = "memory copy" // one thread, into memory already there
	limitFlushes limitKind = "bare flushes"
)

const (
	blockSize = 4 << 20 // of raw reading and writing: see docs/performance.md
	inFlight  = 4
	copySize  = 128 << 20 // beyond any cache
	copyPiece = 1 << 20   // longer copies cannot be preempted
)

// limits measures what the machine allows. Its memory is made once: fresh
// memory would measure the host.
type limits struct {
	dir    string
	blocks []offheap.Memory
	from   offheap.Memory
	to     offheap.Memory
}

func newLimits(dir string) (*limits, error) {
	l := &limits{dir: dir}
	for range inFlight {
		m, err := offheap.Alloc(blockSize)
		if err != nil {
			return nil, err
		}
		for i := range m.Bytes {
			m.Bytes[i] = byte(i * i >> 8)
		}
		l.blocks = append(l.blocks, m)
	}
	var err error
	if l.from, err = offheap.Alloc(copySize); err != nil {
		return nil, err
	}
	l.to, err = offheap.Alloc(copySize)
	return l, err
}

func (l *limits) close() (err error) {
	for _, m := range append(l.blocks, l.from, l.to) {
		err = errors.Join(err, m.Free())
	}
	return err
}

// seconds returns how long size bytes take at the limit of the given kind.
func (l *limits) seconds(kind limitKind, size int64) (float64, error) {
	start := time.Now()
	var err error
	switch kind {
	case limitWrite:
		err = l.write(filepath.Join(l.dir, "raw-write"), size)
	case limitRead:
		return l.read(filepath.Join(l.dir, "raw-read"), size)
	case limitCopy:
		l.copy(size)
	case limitFlushes:
		return l.flushes(size)
	}
	return time.Since(start).Seconds(), err
}

func (l *limits) copy(size int64) {
	for size > 0 {
		for at := 0; at < copySize && size > 0; at += copyPiece {
			size -= int64(copy(l.to.Bytes[at:at+copyPiece], l.from.Bytes[at:]))
		}
	}
}

// write writes a file of size bytes and removes it.
func (l *limits) write(name string, size int64) error {
	return errors.Join(l.fill(name, size), os.Remove(name))
}

// fill writes a file of size bytes, rounded up to whole blocks of the disk.
func (l *limits) fill(name string, size int64) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_DIRECT, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size = (size + 4095) &^ 4095
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return &os.PathError{Op: "fallocate", Path: name, Err: err}
	}
	if err := l.each(size, f.WriteAt); err != nil {
		return err
	}
	return unix.Fdatasync(int(f.Fd()))
}

// read reads a file of size bytes, which it makes if there is none.
func (l *limits) read(name string, size int64) (seconds float64, err error) {
	size = (size + 4095) &^ 4095
	if info, err := os.Stat(name); err != nil || info.Size() != size {
		if err := errors.Join(os.RemoveAll(name), l.fill(name, size)); err != nil {
			return 0, err
		}
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	start := time.Now()
	err = l.each(size, f.ReadAt)
	return time.Since(start).Seconds(), err
}

// each calls transfer for every block of a file, several at a time.
func (l *limits) each(size int64, transfer func([]byte, int64) (int, error)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, inFlight)
	for i := range inFlight {
		wait.Go(func() {
			for at := next.Add(blockSize) - blockSize; at < size && errs[i] == nil; at = next.Add(blockSize) - blockSize {
				_, errs[i] = transfer(l.blocks[i].Bytes[:min(blockSize, size-at)], at)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
