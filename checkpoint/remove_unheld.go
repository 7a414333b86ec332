package checkpoint

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/storage"
)

// RemoveUnheld is Remove of one checkpoint, unless it is pinned or somebody
// holds a lease on it: then it stays, and held says why. It stays, too, if its
// receipt is damaged, which may have pinned it. It is for those who thin out
// what no manager manages.
func RemoveUnheld(ctx context.Context, dir storage.Dir, path string) (held string, err error) {
	err = dirlock.Exclusive(ctx, dir, func(dir storage.Dir) error {
		return dirlock.BetweenSweeps(ctx, dir, dirlock.SweepPatience, func(dir storage.Dir) error {
			if held, err = whyHeld(ctx, dir, path); err != nil || held != "" {
				return err
			}
			return removeAlone(ctx, dir, []string{path})
		})
	})
	if err != nil {
		return "", fmt.Errorf("remove: %w", err)
	}
	return held, nil
}

func whyHeld(ctx context.Context, dir storage.Dir, path string) (string, error) {
	r, damage, err := readMarks(ctx, dir, path)
	switch {
	case err != nil:
		return "", err
	case damage != nil:
		return "pinned: " + maybePinned, nil
	case r.Pinned != "":
		return "pinned: " + r.Pinned, nil
	}
	leases, err := holders(ctx, dir, placeTime(ctx, dir, untold), func(p string) bool { return p == path })
	if by := leases[path]; by != "" {
		return "leased by " + by, err
	}
	return "", err
}
