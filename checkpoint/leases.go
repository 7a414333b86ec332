package checkpoint

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	found, known, at := make(map[string][]string), make(map[[2]string]bool), now()
	for _, info := range files {
		holder, err := holderOf(ctx, dir, info, at)
		if err != nil {
			return nil, err
		}
		if p, _ := leased(info.Name); holder != "" && !known[[2]string{p, holder}] {
			known[[2]string{p, holder}] = true
			found[p] = append(found[p], holder)
		}
	}
	joined := make(map[string]string, len(found))
	for p, names := range found {
		joined[p] = joinHolders(names)
	}
	return joined, nil
}

// maxHolders is how many are named of those who hold a checkpoint.
const maxHolders = 10

func joinHolders(names []string) string {
	if more := len(names) - maxHolders; more > 0 {
		names = append(names[:maxHolders:maxHolders], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, " and ")
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

// ttl returns for how long the lease's file counts.
func (l leaseJSON) ttl() time.Duration {
	if !(l.Seconds > 0) {
		return defaultTTL
	}
	return time.Duration(min(l.Seconds, maxTTL.Seconds()) * float64(time.Second))
}

// placeTime returns the clock of dir, which has dated the files of the leases,
// as a file shows that is written to see it. Who holds a lease and who removes
// then need not agree about the time. Where that cannot be found out, on a disk
// that is full, no lease has run out, and why is told.
func placeTime(ctx context.Context, dir storage.Dir, tell func(error)) func() time.Time {
	return func() time.Time {
		now, err := probeTime(ctx, dir)
		if err != nil {
			tell(err)
			return time.Time{}
		}
		return now
	}
}

func probeTime(ctx context.Context, dir storage.Dir) (now time.Time, err error) {
	probe := dirlock.Leases + "/now-" + rand.Text()
	if err := storage.WriteFileSoon(ctx, dir, probe, nil); err != nil {
		return now, err
	}
	err = shelf.EachFile(ctx, dir, probe, func(info storage.Info) { now = info.ModTime })
	return now, errors.Join(err, dir.Remove(context.WithoutCancel(ctx), probe))
}

// untold is for who says of each lease whose it is anyway.
func untold(error) {}

// readLease reads the file of a lease. When it runs out is by the clock of the
// place.
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
	if !info.ModTime.IsZero() {
		l.Expires = info.ModTime.Add(l.ttl())
	}
	l.Holder = cmp.Or(l.Holder, "somebody who gives no name")
	return l, nil
}

// tidyLeases removes the leases that ran out long ago: their holders died. Of one
// that was only asleep it is written again. Now and then a probe for the time
// stays behind when its process dies; it goes too. What fails is left for the next time.
func tidyLeases(ctx context.Context, dir storage.Dir, now func() time.Time) error {
	var files []storage.Info
	err := shelf.EachFile(ctx, dir, dirlock.Leases+"/", func(info storage.Info) {
		if _, ok := leased(info.Name); ok || strings.HasPrefix(info.Name, dirlock.Leases+"/now-") {
			files = append(files, info)
		}
	})
	if len(files) == 0 {
		return err
	}
	long := now().Add(-time.Hour)
	for _, info := range files {
		if err != nil {
			return err
		}
		var holder string
		if holder, err = holderOf(ctx, dir, info, long); err == nil && holder == "" {
			if err = dir.Remove(ctx, info.Name); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	return err
}
