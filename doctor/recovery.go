package doctor

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
)

// checkRecovery is about an overwrite that was interrupted. Package shelf
// settles it by names and sizes; here every checksum is read before, because
// one of the two sets is given up then and may be the only good one.
func (x *examiner) checkRecovery(ctx context.Context, of string, rec *shelf.Set) error {
	f := Finding{Kind: Interrupted, Severity: Problem, Path: of, Files: namesOf(rec), step: stepSettle,
		What: of + " was being overwritten when its writer ended",
		Why:  "files of the old one lie aside, under the name " + rec.Path}
	fix, err := x.howToSettle(ctx, of, rec)
	if err != nil {
		return err
	}
	f.Fix, f.Fixable = fix, fix != ""
	f.mend = func(ctx context.Context) error { return shelf.SettleAt(ctx, x.dir, of, told) }
	if fix == "" {
		f.Fix = fmt.Sprintf("nothing: neither set can be given up, since only one of them or none is whole. To choose, remove the files of %s or rename them to %s", rec.Path, of)
	}
	x.find(f)
	return nil
}

// howToSettle returns what settling does, "" if it might lose something.
func (x *examiner) howToSettle(ctx context.Context, of string, rec *shelf.Set) (string, error) {
	main := x.sets[of]
	if main == nil || main.Index == nil {
		return "", nil // shelf takes it for removed, and would remove the rest
	}
	described, err := shelf.IsDescribed(ctx, x.dir, main, told)
	if err != nil {
		return "", err
	}
	if rec.Complete() && !described {
		// Its receipt speaks of the files by their old names.
		bad, err := damage(x.read(ctx, lacking{x.dir, filename.OfReceipt(rec.Path)}, rec.Path, true))
		if err != nil || bad != nil {
			return "", err
		}
		return "brings the old one back: the new one is not whole", nil
	}
	alone := lacking{x.dir, tensorbundle.IndexName(rec.Path)} // else what lies aside might be read
	bad, err := damage(x.read(ctx, alone, of, true))
	if err != nil || bad != nil {
		return "", err
	}
	return "removes what lies aside: the one in place is whole", nil
}
