// Package storage is where files live: a directory on a disk, a bucket,
// memory. A Dir is a flat set of named files; slashes in a name are only part
// of it, and directories are made when they are needed.
//
// # The five promises
//
// What a Dir promises its callers, and what they promise in return. The
// subtests of storagetest carry the same numbers.
//
//  1. Unseen, then complete, then unchanging. A file is not listed and not
//     opened before Commit, nor ever after Discard. From Commit on it has all
//     its bytes, and a File once opened keeps them, whatever becomes of its
//     name. Only what Append makes is seen while it grows; a File then has what
//     was there when it was opened. In return: a Pending is used by one goroutine at a time and ends
//     with Commit or Discard (`defer p.Discard()`, which does nothing after
//     Commit); nobody changes a file in place behind the Dir's back.
//
//  2. Durable. What Commit, CommitAll or Link returned nil for survives loss
//     of power: bytes, name, and the directories made for it. Of removals only
//     their order is promised, by RemoveAll: one may come undone, but not one
//     of an earlier wave while one of a later wave stays. In return: after an
//     error callers take nothing for durable; the name holds the old file or
//     the new one, whole.
//
//  3. Commit replaces atomically. Whoever opens the name sees the old file or
//     the new one, never a mixture and never nothing. A Create, Write or Commit
//     that fails leaves the old file and nothing else. In return: one process
//     writes at a time (Lock); of two Commits of one name the later wins.
//
//  4. Names are literal. They are slash-separated UTF-8, without empty, "." or
//     ".." elements and without NUL (CheckName); no character has a meaning of
//     its own, and nothing outside the Dir is touched. An invalid name is
//     fs.ErrInvalid, a missing file fs.ErrNotExist, each in a *fs.PathError. In
//     return: no name is used both for a file and, with a slash after it, as
//     the beginning of others.
//
//  5. List is complete. It yields, once each and sorted by the bytes of their
//     names, all files that begin with the prefix and were committed before it
//     began; of those that come or go meanwhile, any. In return: callers stop
//     at the first error, and know that a listing is already past.
//
// A Dir is safe for use by several goroutines. Every call obeys its context, a
// Pending the one of its Create and a File the one of its Open; a context's
// error is returned as it is, never dressed up.
//
// Two names may be of one file, whose bytes are there once: Link and Share make
// them. To the promises they are two files, of which one is removed or replaced
// without the other.
//
// What only some places can do is an optional interface, Batcher, Publisher,
// Linker, Sharer, Locker, Appender, Tidier, Excluder or Spacer. Use the functions
// CommitAll, RemoveAll, Publish, Link, Share, Lock, Append, Leftovers, WriteNew and Room,
// which know what to do without it; Sub, ReadOnly, WithTrace and WithLease pass
// it on.
package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// Dir is a place for files that keeps the five promises.
type Dir interface {
	// Open returns the file name as it is now.
	Open(ctx context.Context, name string) (File, error)
	// Create begins a file that Commit will publish as name.
	Create(ctx context.Context, name string) (Pending, error)
	// Remove takes the file name away. It may come back after loss of power;
	// RemoveAll is for removals whose order matters.
	Remove(ctx context.Context, name string) error
	// List yields the files whose names begin with prefix. It yields at most
	// one error, as the last.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
}

// File is an open file, complete and unchanging. It may be used by several
// goroutines at once.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Pending is a file being written, unseen until Commit.
type Pending interface {
	// Write appends. After an error only Discard is of use.
	io.Writer
	// Commit publishes the file and makes it durable. A second Commit, or one
	// after Discard, is an error that wraps fs.ErrClosed.
	Commit() error
	// Discard leaves nothing of the file. It does nothing once the Pending has
	// been committed or discarded.
	Discard() error
}

// Info describes a file in a listing.
type Info struct {
	Name    string
	Size    int64
	ModTime time.Time // when its bytes were committed, by the clock of the place
	ID      FileID    // zero if the place does not tell
}

// FileID is the same for all names of one file, whose bytes are there once.
type FileID struct{ Device, Inode uint64 }
