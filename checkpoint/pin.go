package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Pin writes into the receipt of a checkpoint, which path names as Load's
// does, that no rule may remove it, and why. When Pin returns without error
// the checkpoint is there, and stays: no manager removes it, be it of another
// process and about to do just that. One that has no receipt gets one; a damaged
// one is replaced, and kept beside as ckpt-7.receipt.json.old-….
//
// A pin is about what the checkpoint is now: a save that replaces it, by its
// number or name, replaces the pin, too. Places with neither locks nor leases
// (no storage of this module so far) cannot rule out that a sweep of another
// process, at work in this very moment, comes first.
func Pin(ctx context.Context, dir storage.Dir, path, reason string) error {
	if reason == "" {
		reason = "no reason given"
	}
	return mark(ctx, dir, path, "pin", func(r *Receipt) { r.Pinned = reason })
}

// Unpin takes a pin away. What rules then want to remove, a manager's next
// sweeps do.
func Unpin(ctx context.Context, dir storage.Dir, path string) error {
	return mark(ctx, dir, path, "unpin", func(r *Receipt) { r.Pinned = "" })
}

// Tag writes tags into the receipt of a checkpoint, besides those it has: what
// people call it, and what retention.Tagged looks at. Otherwise it is as Pin.
func Tag(ctx context.Context, dir storage.Dir, path string, tags ...string) error {
	if slices.Contains(tags, "") {
		return fmt.Errorf("tag %s: the tag is empty", path)
	}
	return mark(ctx, dir, path, "tag", func(r *Receipt) {
		for _, tag := range tags {
			if !slices.Contains(r.Tags, tag) {
				r.Tags = append(r.Tags, tag)
			}
		}
	})
}

// Untag takes tags away; those it does not have are no error.
func Untag(ctx context.Context, dir storage.Dir, path string, tags ...string) error {
	return mark(ctx, dir, path, "untag", func(r *Receipt) {
		r.Tags = slices.DeleteFunc(r.Tags, func(tag string) bool { return slices.Contains(tags, tag) })
	})
}

// mark changes the receipt of a checkpoint. The writers' lock is not needed,
// and may be held by somebody for days.
func mark(ctx context.Context, dir storage.Dir, path, verb string, change func(*Receipt)) error {
	// A look before spares a directory that has no such checkpoint the lock.
	at, err := locate(ctx, dir, path)
	if err == nil {
		err = dirlock.BetweenSweeps(ctx, dir, dirlock.PinPatience, func(dir storage.Dir) error { return markAlone(ctx, dir, at, change) })
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, path, err)
	}
	return nil
}

func markAlone(ctx context.Context, dir storage.Dir, at shelf.Place, change func(*Receipt)) error {
	at, err := locatePath(ctx, dir, at.Path)
	if err != nil {
		return err
	}
	r, damage, err := receiptToMark(ctx, dir, at)
	if err != nil {
		return err
	}
	before, err := r.text()
	if err != nil {
		return err
	}
	change(&r)
	after, err := r.text()
	if err != nil || string(before) == string(after) {
		return err
	}
	if damage != nil {
		if err := keepReceipt(ctx, dir, at.Stored); err != nil {
			return err
		}
	}
	if err := storage.WriteFile(ctx, dir, ReceiptName(at.Stored), after); err != nil {
		return err
	}
	return stillThere(ctx, dir, at)
}

// stillThere looks again. Where there are no locks a sweep may have been
// faster; then the receipt is one of nothing.
func stillThere(ctx context.Context, dir storage.Dir, at shelf.Place) error {
	_, err := locatePath(ctx, dir, at.Path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return alsoFailed(err, storage.RemoveAll(ctx, dir, []string{ReceiptName(at.Stored)}))
}

// Pin is the function Pin in the manager's directory.
func (m *Manager) Pin(ctx context.Context, path, reason string) error {
	return m.marked(path, Pin(ctx, m.dir, path, reason))
}

// Unpin is the function Unpin in the manager's directory.
func (m *Manager) Unpin(ctx context.Context, path string) error {
	return m.marked(path, Unpin(ctx, m.dir, path))
}

// Tag is the function Tag in the manager's directory.
func (m *Manager) Tag(ctx context.Context, path string, tags ...string) error {
	return m.marked(path, Tag(ctx, m.dir, path, tags...))
}

// Untag is the function Untag in the manager's directory.
func (m *Manager) Untag(ctx context.Context, path string, tags ...string) error {
	return m.marked(path, Untag(ctx, m.dir, path, tags...))
}

// marked lets the next sweep know that a receipt says something else now.
func (m *Manager) marked(path string, err error) error {
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.marks = append(m.marks, path)
	}
	return err
}
