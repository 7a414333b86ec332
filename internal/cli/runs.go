package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/experiment"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// runsOptions are the flags of `ckpt runs`.
type runsOptions struct {
	metric  string
	highest bool
	sort    string
	tags    []string
	tree    bool
	diff    bool
}

func (a *app) runsCommand() *cobra.Command {
	o := new(runsOptions)
	c := &cobra.Command{
		Use:   "runs [ROOT [RUN...]]",
		Short: "List and compare the runs of an experiment",
		Long: `List the runs in the directory ROOT, the current one if none is given: the
directories below it with a run.json, which package experiment writes, or with
TensorFlow's state file of checkpoints. Of each run the newest checkpoint's step
and metrics are shown.

With RUNs, compare those: a line for each field, ≠ where they differ.

With --metric the best checkpoint by that metric is shown, which takes reading
every receipt; the lowest is the best, or with --highest the highest.

A run whose program was killed stays "running"; the age of its newest checkpoint
tells more.`,
		Example: `  ckpt runs runs
  ckpt runs runs --metric acc --highest
  ckpt runs runs base lr-0.01 --diff
  ckpt runs runs --json | jq -r '.runs[] | select(.status == "failed").name'`,
		Args:              wantArgs(0, -1, "ROOT and RUNs"),
		ValidArgsFunction: a.completeRuns,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(c, args); err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"."}
			}
			return a.runs(c.Context(), args[0], args[1:], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.metric, "metric", "", "show the best checkpoint by this metric of the receipts")
	f.BoolVar(&o.highest, "highest", false, "the highest metric is the best, not the lowest")
	f.StringVar(&o.sort, "sort", "", "sort by name, created, time or step, or by metric: the best first (default: metric with --metric, else name)")
	f.StringSliceVar(&o.tags, "tag", nil, "only runs with this tag; several: with all of them")
	f.BoolVar(&o.tree, "tree", false, "draw which run went on from which")
	f.BoolVar(&o.diff, "diff", false, "of RUNs, only the lines that differ")
	return c
}

func (o *runsOptions) check(c *cobra.Command, args []string) error {
	usage := func(layout string, args ...any) error {
		return &usageError{"runs: " + fmt.Sprintf(layout, args...), helpHint(c)}
	}
	if o.sort == "" {
		o.sort = "name"
		if o.metric != "" {
			o.sort = "metric"
		}
	}
	switch {
	case len(args) > 0 && args[0] == "":
		return usage("the path is empty")
	case !slices.Contains(sortKeys, o.sort):
		return usage("--sort is %q, want one of %s", o.sort, strings.Join(sortKeys, ", "))
	case o.metric == "" && (o.sort == "metric" || o.highest):
		return usage("--sort metric and --highest need --metric")
	case o.diff && len(args) < 3:
		return usage("--diff needs two RUNs or more")
	case o.tree && (len(args) > 1 || o.metric != "" || len(o.tags) > 0):
		return usage("--tree draws all runs of ROOT: no RUNs, no --metric, no --tag")
	}
	return nil
}

// runs lists or compares the runs of root.
func (a *app) runs(ctx context.Context, root string, names []string, o *runsOptions) error {
	list, err := a.findRuns(ctx, root, o)
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.Err != nil {
			a.note(fmt.Sprintf("%s: %v", filepath.Join(root, l.Name), l.Err))
		}
	}
	if len(names) > 0 {
		return a.compareRuns(root, list, names, o)
	}
	if o.tree && !a.json {
		newRunTree(list).print(a)
		return nil
	}
	list = slices.DeleteFunc(list, func(l experiment.Listing) bool { return !o.tagged(l) })
	o.order(list)
	if a.json {
		return a.printJSON(describeRuns(list, o))
	}
	a.runsTable(list, o).write(a.out, a.screen)
	return nil
}

// findRuns returns all runs; none is an error.
func (a *app) findRuns(ctx context.Context, root string, o *runsOptions) ([]experiment.Listing, error) {
	list, err := experiment.Open(local.Dir(root)).Runs(ctx, &experiment.ListOptions{Metric: o.metric, Highest: o.highest})
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(root):
		return nil, absentf("%s: no such directory", root)
	case errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrInvalid) && isFile(root):
		return nil, fmt.Errorf("%s: not a directory: %w", root, syscall.ENOTDIR)
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, noRuns(root)
	}
	return list, nil
}

// noRuns is the error about a directory without runs.
func noRuns(root string) error {
	err := absentf("%s: no runs below this directory: no run.json and no state file of checkpoints", root)
	if isFile(filepath.Join(root, "run.json")) {
		return hintf(err, "it is a run itself: give the directory above it")
	}
	if isFile(filepath.Join(root, "checkpoint")) {
		return hintf(err, "it has checkpoints itself: 'ckpt ls %s'", root)
	}
	return err
}

func (o *runsOptions) tagged(l experiment.Listing) bool {
	for _, tag := range o.tags {
		if !slices.Contains(l.Record.Tags, tag) {
			return false
		}
	}
	return true
}

// completeRuns completes ROOT, and then the names of runs in it.
func (a *app) completeRuns(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeDirectory(typed)
	}
	list, err := experiment.Open(local.Dir(args[0])).Runs(c.Context(), nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var found []cobra.Completion
	for _, l := range list {
		if strings.HasPrefix(l.Name, typed) && !needsEscape(l.Name) && !slices.Contains(args[1:], l.Name) {
			found = append(found, l.Name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeDirectory completes to directories only.
func (a *app) completeDirectory(typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	dir, _ := filepath.Split(typed)
	entries, err := os.ReadDir(filepath.Clean(dir)) // of "" that is "."
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []cobra.Completion
	for _, e := range entries {
		if name := dir + e.Name(); e.IsDir() && strings.HasPrefix(name, typed) && !needsEscape(name) {
			found = append(found, name+string(filepath.Separator))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
