package checkpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// maxLease bounds what is read of a lease's file.
const maxLease = 64 << 10

// holders finds the leases in dir that have not run out: who holds each
// checkpoint, "a and b". Only leases are listed, however much there is in dir,
// and only those on paths that are asked for are read. The clock is asked only if
// there are any.
func holders(ctx context.Context, dir storage.Dir, now func() time.Time, asked func(path string) bool) (map[string]string, error) {
	var files []storage.Info
	err := shelf.EachFile(ctx, dir, dirlock.Leases+"/", func(info storage.Info) {
		if p, ok := leased(info.Name); ok && asked(p) {
			files = append(files, info)
		}
	})
	if err != nil || len(files) == 0 {
		return nil, err
	}
	found, at := make(map[string][]string), now()
	for _, info := range files {
		holder, err := holderOf(ctx, dir, info, at)
		if err != nil {
			return nil, err
		}
		if p, _ := leased(info.Name); holder != "" && !slices.Contains(found[p], holder) {
			found[p] = append(found[p], holder)
		}
	}
	joined := make(map[string]string, len(found))
	for p, names := range found {
		joined[p] = strings.Join(names, " and ")
	}
	return joined, nil
}

// holderOf reads a lease; "" if it has run out.
func holderOf(ctx context.Context, dir storage.Dir, info storage.Info, now time.Time) (string, error) {
	l, err := readLease(ctx, dir, info)
	if errors.Is(err, fs.ErrNotExist) { // released meanwhile
		return "", nil
	}
	if err != nil || !now.Before(l.Expires) {
		return "", err
	}
	return l.Holder, nil
}

// readLease reads the file of a lease.
func readLease(ctx context.Context, dir storage.Dir, info storage.Info) (leaseJSON, error) {
	text, err := readBounded(ctx, dir, info.Name, maxLease)
	if err != nil && unlessIO(err) != nil {
		return leaseJSON{}, err
	}
	var l leaseJSON
	if err != nil || json.Unmarshal(text, &l) != nil || l.Expires.IsZero() {
		// Whoever wrote this means something by it, if only for a while.
		l = leaseJSON{Holder: "somebody whose lease cannot be read", Expires: info.ModTime.Add(defaultTTL)}
	}
	l.Holder = cmp.Or(l.Holder, "somebody who gives no name")
	return l, nil
}

// tidyLeases removes the leases that ran out long ago: their holders died. By
// the clock of a holder that is behind, one may seem to have run out that has
// not; it would only be written again. What fails is left for the next time.
func tidyLeases(ctx context.Context, dir storage.Dir, now func() time.Time) error {
	var files []storage.Info
	err := shelf.EachFile(ctx, dir, dirlock.Leases+"/", func(info storage.Info) {
		if _, ok := leased(info.Name); ok {
			files = append(files, info)
		}
	})
	for _, info := range files {
		if err != nil {
			return err
		}
		var holder string
		if holder, err = holderOf(ctx, dir, info, now().Add(-time.Hour)); err == nil && holder == "" {
			if err = dir.Remove(ctx, info.Name); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	return err
}
