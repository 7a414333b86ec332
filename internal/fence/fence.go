// Package fence keeps writers apart where no lock does: by a lease, which its
// holder renews and another takes over when the renewals end, and by what makes
// a lease safe where clocks and pauses are arbitrary.
//
// # Tokens
//
// A lease on "checkpoint" is a file .ckpt.writers/checkpoint@7.json, whose
// number is its token. Whoever makes the file of the next token, which only one
// can, has the lease from then on; the highest token is the one in force. Its
// holder writes the file again and again. Who wants the lease and finds it
// unchanged for a while, by its own clock and no other, takes the holder for
// dead. Given up, the file stays and says so: tokens never begin anew.
//
// # A holder that only slept
//
// No lease can stop a process between its last look at the tokens and the
// rename it looked for. So who is to change files of a checkpoint first writes
// the checkpoint's path into its token file, then looks whether the token is
// still in force, and only then changes anything (Guard does that for every
// change). Whoever makes the next token reads the former one's file after that:
// if the former holder's look found nothing, what it announced before is read.
// Those paths, and only those, it may still change whenever it wakes; nobody
// else makes files of these checkpoints, settles or cleans them, until it has
// seen that it lost the lease, and removed its token file with its last breath.
package fence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/holder"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	// Tokens is where the token files are.
	Tokens = ".ckpt.writers"

	defaultTTL = time.Minute
	maxTTL     = time.Hour // what a file may ask others to wait
	beats      = 6         // signs of life in a TTL
	maxToken   = 1 << 20   // bytes of a token file that are read
	schema     = 1
)

// note is what a token file says.
type note struct {
	Schema   int       `json:"schema"`
	ID       string    `json:"id"`
	Holder   string    `json:"holder"`
	Since    time.Time `json:"since"`
	Seconds  float64   `json:"ttl_seconds"`
	Beat     int64     `json:"beat"`            // grows with every renewal
	Paths    []string  `json:"paths,omitempty"` // checkpoints about to be changed
	Released bool      `json:"released,omitempty"`
}

// token is a token file as it was read.
type token struct {
	note
	number int64
	name   string
	text   string
}

// ttl returns how long the holder may be silent. Nobody waits for ever because
// a file says so.
func (n note) ttl() time.Duration {
	if !(n.Seconds > 0) || n.Seconds > maxTTL.Seconds() {
		return defaultTTL
	}
	return time.Duration(n.Seconds * float64(time.Second))
}

func (n note) who() string {
	if !holder.Check(n.Holder) {
		return "a process whose name cannot be read"
	}
	return holder.Since(n.Holder, n.Since)
}

// fileName returns the name of the token file of a lock's lease.
func fileName(lock string, number int64) string {
	return prefix(lock) + strconv.FormatInt(number, 10) + ".json"
}

func prefix(lock string) string { return Tokens + "/" + path.Base(lock) + "@" }

// numberOf is fileName's inverse.
func numberOf(lock, name string) (int64, bool) {
	digits, mine := strings.CutPrefix(name, prefix(lock))
	digits, whole := strings.CutSuffix(digits, ".json")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, mine && whole && err == nil && n > 0 && n < math.MaxInt64 && fileName(lock, n) == name
}

// numbers lists the tokens of a lease.
func numbers(ctx context.Context, d storage.Dir, lock string) (list []int64, err error) {
	for info, err := range d.List(ctx, prefix(lock)) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if n, ok := numberOf(lock, info.Name); ok {
			list = append(list, n)
		}
	}
	return list, nil
}

// InUse reports whether there was a lease on anything in d once. Where it is
// so, a lock that this machine gives is not trusted to reach all others.
func InUse(ctx context.Context, d storage.Dir) (bool, error) {
	for _, err := range base(d).List(ctx, Tokens+"/") {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}

// read reads a token file. One that makes no sense is somebody's all the same,
// for as long as it changes.
func read(ctx context.Context, d storage.Dir, lock string, number int64) (token, error) {
	t := token{number: number, name: fileName(lock, number)}
	f, err := d.Open(ctx, t.name)
	if err != nil {
		return t, err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), maxToken)))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if t.text = string(text); err == nil && json.Unmarshal(text, &t.note) != nil {
		t.note = note{}
	}
	return t, err
}

// newest reads the token in force. Its number is 0 if there is none.
func newest(ctx context.Context, d storage.Dir, lock string) (token, error) {
	for range 10 {
		list, err := numbers(ctx, d, lock)
		if err != nil || len(list) == 0 {
			return token{}, err
		}
		top := int64(0)
		for _, n := range list {
			top = max(top, n)
		}
		// A file is removed only when there is a higher one.
		t, err := read(ctx, d, lock, top)
		if !errors.Is(err, fs.ErrNotExist) {
			return t, err
		}
	}
	return token{}, fmt.Errorf("the tokens of %s change faster than they can be read: %w", lock, storage.ErrLocked)
}
