package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func (a *app) pruneCommand() *cobra.Command {
	var r pruneRules
	var o checkpoint.PlanOptions
	var yes bool
	c := &cobra.Command{
		Use:   "prune DIR --keep-... [--max-bytes SIZE] [--yes]",
		Short: "Remove the checkpoints that no rule keeps",
		Long: `Show which checkpoints of a directory the rules given would remove, and why;
with --yes, remove these. What any of the --keep rules keeps stays, as long as
--max-bytes has room for it.

No rule removes the newest checkpoint, the newest one that is whole, what is
pinned, what somebody is reading under a lease, and the best by --keep-best.
Checkpoints of different names are judged apart; where none of a name has the
metric of --keep-best, nothing is removed, and it is an error. What no manager of ours wrote
and the state file does not list is left alone, unless --foreign is given.

While a training is at work in the directory nothing is removed: its manager
has rules of its own. If anything has changed since the plan was made, nothing
is removed either.`,
		Example: `  ckpt prune run-1 --keep-latest 5 --keep-best 3:val_loss:min
  ckpt prune run-1 --keep-latest 5 --keep-daily 14 --max-bytes 200GB --yes`,
		Args:              wantArgs(1, 1, "DIR"),
		ValidArgsFunction: a.completeOnePath,
		RunE: func(c *cobra.Command, args []string) error {
			policy, err := r.policy(c)
			if err != nil {
				return err
			}
			return a.prune(c.Context(), args[0], policy, r.measured, o, yes)
		},
	}
	r.flags(c)
	c.Flags().StringVar(&o.Name, "name", "", `only checkpoints of this name, "ckpt" for ckpt-7`)
	c.Flags().BoolVar(&o.Foreign, "foreign", false, "also what no manager of ours wrote and none lists")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "remove, after showing the plan")
	return c
}

type pruneJSON struct {
	Schema       int          `json:"schema"`
	Directory    string       `json:"directory"`
	Removed      bool         `json:"removed"` // the plan was carried out
	RemovedBytes int64        `json:"remove_bytes"`
	Checkpoints  []prunedJSON `json:"checkpoints"`
}

// prunedJSON is one verdict.
type prunedJSON struct {
	Path    string `json:"path"`
	RawPath string `json:"path_base64,omitempty"`
	Remove  bool   `json:"remove"`
	Reason  string `json:"reason"`
	Floor   bool   `json:"floor"`
	Bytes   int64  `json:"bytes"`
}

func (a *app) prune(ctx context.Context, arg string, policy retention.Policy, check func(*checkpoint.Plan) error, o checkpoint.PlanOptions, yes bool) error {
	p, err := locate(arg)
	if err != nil {
		return err
	}
	if p.path != "" {
		if !isDir(arg) {
			return &usageError{fmt.Sprintf("prune: %s is not a directory", arg), "a single checkpoint is removed with rm"}
		}
		p = directory(arg, arg)
	}
	if _, err := p.list(ctx); err != nil {
		return err
	}
	o.Now = a.now
	plan, err := checkpoint.PlanPrune(ctx, local.Dir(p.root), policy, &o)
	if err != nil {
		return p.explain(err)
	}
	if err := check(plan); err != nil {
		return err
	}
	list := p.pruned(plan)
	if !a.json {
		pruneTable(list).write(a.out, a.screen)
	}
	if yes {
		if err := a.carryOut(ctx, p, plan); err != nil {
			return err
		}
		list.Removed = true
	}
	if a.json {
		return a.printJSON(list)
	}
	a.summarize(list, len(plan.Removals()))
	return nil
}

// carryOut shows the plan before it is too late to see it.
func (a *app) carryOut(ctx context.Context, p place, plan *checkpoint.Plan) error {
	if err := a.out.Flush(); err != nil {
		return err
	}
	err := plan.Do(ctx)
	switch {
	case errors.Is(err, checkpoint.ErrPlanChanged):
		return hintf(p.explain(err), "nothing was removed; run the command again")
	case errors.Is(err, storage.ErrLocked):
		return hintf(p.explain(err), "a training is at work there, and its manager removes by its own rules")
	case err != nil:
		return p.explain(err)
	}
	return nil
}

func (p place) pruned(plan *checkpoint.Plan) pruneJSON {
	list := pruneJSON{Schema: schema, Directory: p.root, RemovedBytes: plan.Frees(), Checkpoints: []prunedJSON{}}
	for _, c := range plan.Checkpoints {
		remove := c.Fate == retention.Remove
		list.Checkpoints = append(list.Checkpoints, prunedJSON{
			Path: p.name(c.Path), RawPath: rawName(p.name(c.Path)), Remove: remove, Reason: c.Reason, Floor: c.Floor, Bytes: c.Size,
		})
	}
	return list
}

func pruneTable(list pruneJSON) *table {
	t := &table{columns: []column{{title: "PATH"}, {title: "FATE"}, {title: "SIZE", right: true}, {title: "REASON"}}}
	for _, c := range list.Checkpoints {
		fate := cell{text: "keep", plain: "keep"}
		if c.Remove {
			fate = cell{text: "remove", plain: "remove", style: yellow}
		}
		t.add(same(c.Path), fate, size(c.Bytes), same(c.Reason))
	}
	return t
}

// summarize says on standard error, where it is in nobody's way, what was or
// would be removed.
func (a *app) summarize(list pruneJSON, removals int) {
	what := fmt.Sprintf("%d of %s, %s", removals, count(len(list.Checkpoints), "checkpoint"), humanSize(list.RemovedBytes))
	switch {
	case list.Removed:
		a.note("removed " + what)
	case removals > 0:
		a.note("would remove " + what + "; --yes removes them")
	default:
		a.note("nothing to remove of " + count(len(list.Checkpoints), "checkpoint"))
	}
}
