package checkpoint

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/storage"
)

// Remove removes checkpoints, all files of each: the indexes first, and the
// others when that is durable. One that is not there is no error. What pins
// and policies say it does not ask, and it leaves the state file alone; to
// thin out a manager's directory is the manager's own business.
func Remove(ctx context.Context, dir storage.Dir, paths ...string) error {
	err := exclusive(ctx, dir, func() error {
		var indexes, others []string
		for _, p := range paths {
			sets, err := scan(ctx, dir, p+".")
			if err != nil {
				return err
			}
			for _, s := range []*fileSet{sets[p], sets[recoveryOf(p)]} {
				if s == nil {
					continue
				}
				if s.index != nil {
					indexes = append(indexes, s.index.Name)
				}
				others = append(others, s.others()...)
			}
		}
		if len(indexes)+len(others) == 0 {
			return nil
		}
		return storage.RemoveAll(ctx, dir, indexes, others)
	})
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
