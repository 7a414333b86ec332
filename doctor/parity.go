package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

// byParity finds out whether parity can make the damaged files of a checkpoint
// again, all of them, and says so in the finding.
func (x *examiner) byParity(ctx context.Context, f *Finding) error {
	p := f.Path
	if s := x.sets[p]; s == nil || len(s.Parity) == 0 {
		return nil
	}
	list, err := checkpoint.Repair(ctx, x.dir, p, &checkpoint.RepairOptions{DryRun: true})
	if err != nil {
		f.Fix = "nothing: its parity is of no use: " + err.Error()
		return unlessDamage(err)
	}
	var files []string
	for _, m := range list {
		files = append(files, fmt.Sprintf("%s of %s", plural(int(m.Bad), "bad block"), m.File))
	}
	if len(files) == 0 {
		return nil
	}
	f.Fix = "makes " + strings.Join(files, ", ") + " again from parity"
	f.Fixable, f.step, f.lockless = true, stepRepair, true
	f.mend = func(ctx context.Context) error {
		_, err := checkpoint.Repair(ctx, x.place, p, nil)
		return err
	}
	return nil
}
