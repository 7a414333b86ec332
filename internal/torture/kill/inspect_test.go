package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
)

// Bounds of what one victim may leave: the files of one save that it was
// writing, and of what one sweep was removing.
const (
	maxTemps    = 12
	maxLeftover = 60
)

// inspect holds the directory, which is only read, against the record.
func (h *history) inspect(acknowledged bool) error {
	if err := h.readAll(); err != nil {
		return err
	}
	if err := h.checkNewest(); err != nil {
		return err
	}
	for path, e := range maps.Clone(h.acked) {
		if err := h.checkOne(path, e); err != nil {
			return err
		}
	}
	for at, want := range h.canaries {
		if got, err := lookAt(at); got != want {
			return fmt.Errorf("foreign file is now %s, %v, want %s", got, err, want)
		}
	}
	return h.checkLeftovers(acknowledged)
}

// readAll restores every checkpoint that is listed: each must be, to the bit,
// one that was announced.
func (h *history) readAll() error {
	ctx := context.Background()
	list, err := checkpoint.List(ctx, h.dir, nil)
	if err != nil {
		return err
	}
	h.disk = make(map[string]uint64)
	for _, l := range list {
		if slices.Contains(foreign, l.Path+".index") {
			continue
		}
		if !l.Complete {
			return fmt.Errorf("%s is listed and not complete", l.Path)
		}
		serial, err := h.restore(l.Path)
		if err != nil {
			return err
		}
		h.disk[l.Path] = serial
	}
	return nil
}

func (h *history) restore(path string) (uint64, error) {
	c := newContent()
	if _, err := checkpoint.New(nil, c.objects(), nil).Restore(context.Background(), h.dir, path); err != nil {
		return 0, err
	}
	if e := h.announced[c.number()]; e == nil || e.digest != c.digest() {
		return 0, fmt.Errorf("%s holds save %d with digest %d, announced %+v", path, c.number(), c.digest(), e)
	}
	return c.number(), nil
}

// checkNewest: whatever way one asks for the newest it is the newest that was
// acknowledged or a newer one.
func (h *history) checkNewest() error {
	ctx := context.Background()
	latest, err := checkpoint.Latest(ctx, h.dir)
	if errors.Is(err, fs.ErrNotExist) && h.newest == 0 && len(h.disk) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	valid, passed, err := checkpoint.LatestValid(ctx, h.dir, &checkpoint.LatestValidOptions{Deep: true})
	if err != nil || len(passed) > 0 {
		return fmt.Errorf("LatestValid = %s, passed over %v, %w", valid, passed, err)
	}
	for _, path := range []string{latest, valid} {
		if serial := h.disk[path]; serial < h.newest {
			return fmt.Errorf("the newest is %s, save %d, want %d or a newer one; there are %v", path, serial, h.newest, h.disk)
		}
	}
	return nil
}

// checkOne checks a checkpoint that was acknowledged. What has been replaced,
// or removed for a reason, leaves the record.
func (h *history) checkOne(path string, e *entry) error {
	now, there := h.disk[path]
	switch {
	case there && now == e.serial:
		return nil
	case there && (now < e.serial || now > h.over[path]):
		return fmt.Errorf("%s holds save %d, want %d", path, now, e.serial)
	case !there:
		if why := h.stays(path, e); why != "" {
			return fmt.Errorf("%s, save %d, is gone although it %s; there are %v", path, e.serial, why, h.disk)
		}
	}
	delete(h.acked, path)
	return nil
}

// stays returns why no rule may have removed a checkpoint, "" if one may.
func (h *history) stays(path string, e *entry) string {
	later := 0
	for p, serial := range h.disk {
		if p != path && serial > e.serial {
			later++
		}
	}
	better := slices.ContainsFunc(h.rivals, func(r *entry) bool { return r != e && r.loss <= e.loss })
	switch {
	case e.pinned:
		return "is pinned"
	case later < h.rule.latest:
		return fmt.Sprintf("has only %d after it", later)
	case h.rule.best && !better:
		return "is the best"
	case h.rule.tagged && e.keep:
		return "is tagged"
	}
	return ""
}

// checkLeftovers counts what the victim has left, of no checkpoint, and makes
// temporary files old, so that the next one has to remove them.
func (h *history) checkLeftovers(acknowledged bool) error {
	temps, err := storage.Leftovers(context.Background(), h.dir)
	if err != nil {
		return err
	}
	for _, info := range temps {
		if old := time.Since(info.ModTime) > time.Hour; old && acknowledged {
			return fmt.Errorf("%s is old, and a later process that saved has left it", info.Name)
		} else if old {
			continue
		}
		if err := age(filepath.Join(h.root, info.Name)); err != nil {
			return err
		}
	}
	rest, err := h.ofNone()
	if err != nil {
		return err
	}
	h.tally.temps, h.tally.leftover = max(h.tally.temps, len(temps)), max(h.tally.leftover, len(rest))
	if acknowledged && (len(temps) > maxTemps || len(rest) > maxLeftover) {
		return fmt.Errorf("left are %v and %v", temps, rest)
	}
	return nil
}

// ofNone returns the files that belong to no checkpoint and to nobody else.
func (h *history) ofNone() (rest []string, err error) {
	entries, err := os.ReadDir(h.root)
	for _, e := range entries {
		name := e.Name()
		path, part, _ := strings.Cut(name, ".")
		_, there := h.disk[path]
		_, canary := h.canaries[filepath.Join(h.root, name)]
		ours := name == "checkpoint" || strings.HasPrefix(name, ".ckpt.lock-") || there && !strings.HasPrefix(part, "recovery.")
		if !ours && !canary && !e.IsDir() {
			rest = append(rest, name)
		}
	}
	return rest, err
}

// clean: a process that ended well has left nothing but checkpoints that some
// rule wants, or that a manager does not manage.
func (h *history) clean() error {
	rest, err := h.ofNone()
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("a process that ended well has left %v%s", rest, h.receiptsOf(rest))
	}
	wanted := h.rule.latest + h.unpinned
	if h.rule.best {
		wanted++
	}
	for path, serial := range h.disk {
		unmanaged, err := h.unmanaged(path, serial)
		if err != nil {
			return err
		}
		if unmanaged || h.rule.tagged && h.announced[serial].keep {
			wanted++
		}
	}
	if len(h.disk) > wanted {
		return fmt.Errorf("there are %d checkpoints, %v, wanted are %d", len(h.disk), h.disk, wanted)
	}
	return nil
}

// receiptsOf returns the receipts among some files, for who looks for a reason.
func (h *history) receiptsOf(names []string) string {
	var texts strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, ".receipt.json") {
			text, err := os.ReadFile(filepath.Join(h.root, name))
			fmt.Fprintf(&texts, "\n%s: %s %v", name, text, err)
		}
	}
	return texts.String()
}

// unmanaged reports whether no sweep will remove a checkpoint. Whether it is
// pinned its receipt tells: the victim may have died before it could.
func (h *history) unmanaged(path string, serial uint64) (bool, error) {
	r, err := checkpoint.ReadReceipt(context.Background(), h.dir, path)
	switch {
	case err != nil:
		return false, err
	case r.Pinned != "":
		return true, nil
	}
	// With MaxToKeep alone a manager manages what the state file lists. It does
	// not list what was pinned, and, if its writer died before he could list it,
	// what was written over a lower number that was not listed either.
	listless := !h.rule.best && !h.rule.tagged
	return listless && (r.Retained != "" || !h.done[serial]), nil
}
