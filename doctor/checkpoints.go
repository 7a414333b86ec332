package doctor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
)

// checkSets looks at every checkpoint that has an index.
func (x *examiner) checkSets(ctx context.Context) error {
	x.bad = make(map[string]bool)
	x.valid = nil
	for _, p := range slices.Sorted(maps.Keys(x.sets)) {
		of, recovery := strings.CutSuffix(p, filename.RecoverySuffix)
		if recovery {
			if err := x.unlessUnreadable(ctx, of, x.checkRecovery(ctx, of, x.sets[p])); err != nil {
				return err
			}
		}
		if recovery || x.sets[p].Index == nil {
			continue
		}
		if err := x.unlessUnreadable(ctx, p, x.checkSet(ctx, p)); err != nil {
			return err
		}
	}
	return nil
}

func (x *examiner) checkSet(ctx context.Context, p string) error {
	v, err := x.verify(ctx, p)
	if err != nil {
		return err
	}
	if v.err != nil {
		if there, err := x.stillThere(ctx, p); err != nil || !there {
			return err
		}
	}
	if v.err == nil {
		x.valid = append(x.valid, p)
		if x.sets[filename.Recovery(p)] == nil { // else it is settled first
			x.aboutReceipt(p, v.receipt)
			x.aboutParity(p, v)
		}
	} else {
		x.bad[p] = true
		if err := x.aboutDamage(ctx, p, v.err); err != nil {
			return err
		}
	}
	if v.unsteady != nil {
		x.find(Finding{Kind: Unsteady, Severity: Warning, Path: p, Files: namesOf(x.sets[p]), Err: v.unsteady,
			What: p + " was read differently the second time", Why: v.unsteady.Error(),
			Fix: "a disk, a cable or memory is failing, or somebody has just written it: run ckpt doctor --deep again"})
	}
	return nil
}

// aboutDamage finds the words for a checkpoint that is not whole.
func (x *examiner) aboutDamage(ctx context.Context, p string, err error) error {
	f := Finding{Kind: Damaged, Severity: Problem, Path: p, Files: x.filesOf(p), Err: err,
		What: p + " is damaged", Why: err.Error(), Fix: "nothing: bring it back from where it was copied to. What of it is not damaged can still be read, with ckpt cat. ckpt latest --valid puts it aside if it is the newest"}
	file := new(fs.PathError)
	switch {
	case errors.Is(err, format.ErrCorrupt):
	case errors.Is(err, format.ErrUnsupported):
		f.Kind, f.Severity, f.What = Unsupported, Warning, p+" is of a kind that this program does not know"
		f.Fix = "nothing"
	case errors.As(err, &file):
		f.Kind, f.What = Incomplete, p+" is incomplete: "+x.missing(p, path.Base(file.Path))
		f.Fix = "nothing: bring the files back from where they were copied to; the others are left as they are"
	}
	if p == x.latest {
		f.What += "; the state file names it as the latest"
	}
	failed := x.byParity(ctx, &f)
	x.find(f)
	return failed
}

// missing names the data files that a checkpoint lacks; first is one of them.
func (x *examiner) missing(p, first string) string {
	shards := 0
	have := make(map[int]bool)
	for _, d := range x.sets[p].Data {
		if n, ok := filename.Parse(d.Name); ok {
			shards = max(shards, n.Shards)
			have[n.Shard] = true
		}
	}
	var lack []string
	for i := range shards {
		if len(lack) == 3 {
			lack = append(lack, "…")
			break
		}
		if !have[i] {
			lack = append(lack, tensorbundle.DataName(p, i, shards))
		}
	}
	if len(lack) == 0 {
		return first + " is not there"
	}
	return strings.Join(lack, ", ") + " of its data files are not there"
}

// filesOf returns the names of a checkpoint's files.
func (x *examiner) filesOf(p string) []string {
	if s := x.sets[p]; s != nil {
		return namesOf(s)
	}
	return []string{p}
}

// checkV1 looks at TensorFlow 1's checkpoints.
func (x *examiner) checkV1(ctx context.Context) error {
	list, err := checkpoint.List(ctx, x.dir, nil)
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.Format != checkpoint.FormatV1 || !filename.OfDirectory(l.Path) {
			continue
		}
		if err := x.unlessUnreadable(ctx, l.Path, x.checkOneV1(ctx, l.Path)); err != nil {
			return err
		}
	}
	return nil
}

func (x *examiner) checkOneV1(ctx context.Context, p string) error {
	v, err := x.verify(ctx, p)
	if err != nil {
		return err
	}
	if v.err == nil {
		x.valid = append(x.valid, p)
		return nil
	}
	x.bad[p] = true
	return x.aboutDamage(ctx, p, v.err)
}
