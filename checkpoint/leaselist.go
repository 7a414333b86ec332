package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// LeaseInfo is a lease as its file tells it, run out or not.
type LeaseInfo struct {
	Name    string // of its file in the directory
	Path    string // of the checkpoint
	Holder  string
	Expires time.Time // by the holder's clock
}

// ListLeases returns all leases in dir, those of holders that died among them.
// Of a file that cannot be understood it says when it may be forgotten.
func ListLeases(ctx context.Context, dir storage.Dir) ([]LeaseInfo, error) {
	var files []storage.Info
	err := shelf.EachFile(ctx, dir, dirlock.Leases+"/", func(info storage.Info) {
		if _, ok := leased(info.Name); ok {
			files = append(files, info)
		}
	})
	var list []LeaseInfo
	for _, info := range files {
		l, failed := readLease(ctx, dir, info)
		if errors.Is(failed, fs.ErrNotExist) { // released meanwhile
			continue
		}
		if failed != nil {
			return nil, failed
		}
		p, _ := leased(info.Name)
		list = append(list, LeaseInfo{Name: info.Name, Path: p, Holder: l.Holder, Expires: l.Expires})
	}
	return list, err
}
