package summary

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
)

// disk keeps count of what the checkpoints of a directory take together, each
// file once.
type disk struct {
	sum     int64
	own     map[string]int64            // of each checkpoint, by path: what no other can have
	shared  map[string]map[string]int64 // of each checkpoint: what others may have, too, by file
	holders map[string]int              // of each such file
}

// listDisk counts what is there.
func listDisk(ctx context.Context, dir storage.Dir) (*disk, error) {
	list, err := checkpoint.List(ctx, dir, nil)
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	d := &disk{own: make(map[string]int64), shared: make(map[string]map[string]int64), holders: make(map[string]int)}
	for _, l := range list {
		// One that cannot be read tells of nothing that is shared.
		r, err := checkpoint.ReadReceipt(ctx, dir, l.Path)
		if err != nil {
			r = checkpoint.Receipt{}
		}
		d.add(l.Path, l.Size, r)
	}
	return d, nil
}

// add counts a checkpoint, in place of one of that path.
func (d *disk) add(path string, size int64, r checkpoint.Receipt) {
	d.remove(path)
	d.shared[path] = make(map[string]int64)
	for _, f := range r.Shared() {
		if size -= f.Size; d.holders[f.File] == 0 {
			d.sum += f.Size
		}
		d.holders[f.File]++
		d.shared[path][f.File] = f.Size
	}
	d.own[path] = size
	d.sum += size
}

func (d *disk) remove(path string) {
	d.sum -= d.own[path]
	for file, size := range d.shared[path] {
		if d.holders[file]--; d.holders[file] == 0 {
			d.sum -= size
			delete(d.holders, file)
		}
	}
	delete(d.own, path)
	delete(d.shared, path)
}
