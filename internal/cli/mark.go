package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// The commands that write into receipts: while a training is at work in the
// directory, too.

func (a *app) pinCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "pin PATH... [--reason TEXT]",
		Short: "Keep checkpoints whatever retention says",
		Long: `Keep checkpoints whatever retention says: no manager and no 'ckpt prune' removes
them until 'ckpt unpin'. A directory means its latest checkpoint.

The pin is in the checkpoint's receipt and applies from this moment on, also to
a training that is under way. A save that replaces the checkpoint replaces the
pin. TensorFlow knows nothing of pins; but what a manager of ours has found to
be pinned leaves the state file, and what is not listed there TensorFlow's
manager leaves alone.`,
		Example: `  ckpt pin run-1/ckpt-7 --reason 'table 2 of the paper'
  ckpt ls run-1 --json | jq -r '.checkpoints[] | select(.pinned) | [.path, .pinned] | @tsv'`,
		Args:              wantArgs(1, -1, "PATHs"),
		ValidArgsFunction: a.completePaths,
		RunE: func(c *cobra.Command, args []string) error {
			return a.mark(c.Context(), args, func(ctx context.Context, dir storage.Dir, path string) error {
				return checkpoint.Pin(ctx, dir, path, reason)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for those who find it later")
	return c
}

func (a *app) unpinCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unpin PATH...",
		Short: "Let retention decide about checkpoints again",
		Long: `Let retention decide about checkpoints again that 'ckpt pin' has kept. Nothing
is removed now: what its rules do not want a manager removes at one of its next
saves, or 'ckpt prune' does.`,
		Example:           `  ckpt unpin run-1/ckpt-7`,
		Args:              wantArgs(1, -1, "PATHs"),
		ValidArgsFunction: a.completePaths,
		RunE: func(c *cobra.Command, args []string) error {
			return a.mark(c.Context(), args, checkpoint.Unpin)
		},
	}
}

func (a *app) tagCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tag PATH TAG...",
		Short: "Give a checkpoint tags",
		Long: `Give a checkpoint tags, besides those it has: what people call it, and what
'ckpt prune --keep-tag' and a manager's Tagged rule keep it by.`,
		Example:           `  ckpt tag run-1/ckpt-7 release v2`,
		Args:              wantArgs(2, -1, "PATH and TAGs"),
		ValidArgsFunction: a.completeOnePath,
		RunE: func(c *cobra.Command, args []string) error {
			return a.mark(c.Context(), args[:1], func(ctx context.Context, dir storage.Dir, path string) error {
				return checkpoint.Tag(ctx, dir, path, args[1:]...)
			})
		},
	}
}

func (a *app) untagCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "untag PATH TAG...",
		Short:             "Take tags from a checkpoint",
		Long:              `Take tags from a checkpoint. Those that it does not have are no error.`,
		Example:           `  ckpt untag run-1/ckpt-7 v2`,
		Args:              wantArgs(2, -1, "PATH and TAGs"),
		ValidArgsFunction: a.completeTag,
		RunE: func(c *cobra.Command, args []string) error {
			return a.mark(c.Context(), args[:1], func(ctx context.Context, dir storage.Dir, path string) error {
				return checkpoint.Untag(ctx, dir, path, args[1:]...)
			})
		},
	}
}

// completeTag completes PATH and then the tags that it has.
func (a *app) completeTag(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completePath(c, args, typed)
	}
	p, err := locate(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	r, err := checkpoint.ReadReceipt(c.Context(), p.dir, p.path)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.DeleteFunc(r.Tags, func(tag string) bool {
		return !strings.HasPrefix(tag, typed) || slices.Contains(args, tag) || needsEscape(tag)
	}), cobra.ShellCompDirectiveNoFileComp
}

type marksJSON struct {
	Schema      int        `json:"schema"`
	Checkpoints []markJSON `json:"checkpoints"`
}

// markJSON is what a receipt says after it was changed.
type markJSON struct {
	Path    string   `json:"path"`
	RawPath string   `json:"path_base64,omitempty"`
	Pinned  string   `json:"pinned,omitempty"`
	Tags    []string `json:"tags,omitempty"`
}

// mark changes the receipts that paths mean and says what they say now. It
// goes on after an error.
func (a *app) mark(ctx context.Context, paths []string, change func(ctx context.Context, dir storage.Dir, path string) error) error {
	list := marksJSON{Schema: schema, Checkpoints: []markJSON{}}
	var failed []error
	for _, path := range paths {
		marked, err := markOne(ctx, path, change)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		list.Checkpoints = append(list.Checkpoints, marked)
	}
	if a.json {
		if err := a.printJSON(list); err != nil {
			return err
		}
	} else {
		for _, m := range list.Checkpoints {
			fmt.Fprintln(a.out, printable(m.text()))
		}
	}
	return a.joinErrors(failed)
}

func markOne(ctx context.Context, path string, change func(ctx context.Context, dir storage.Dir, path string) error) (markJSON, error) {
	p, err := locate(path)
	if err != nil {
		return markJSON{}, err
	}
	if err := p.with(ctx, func(r *opened) error { p.path = r.path; return nil }); err != nil {
		return markJSON{}, err
	}
	dir := local.Dir(p.root) // which has locks
	if err := change(ctx, dir, p.path); err != nil {
		return markJSON{}, p.explain(err)
	}
	r, err := checkpoint.ReadReceipt(ctx, dir, p.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return markJSON{}, p.explain(err)
	}
	return markJSON{Path: p.name(p.path), RawPath: rawName(p.name(p.path)), Pinned: r.Pinned, Tags: r.Tags}, nil
}

// text is the line for people: "run-1/ckpt-7: pinned: table 2, tags: v2".
func (m markJSON) text() string {
	marks := marks(m.Pinned, m.Tags)
	if len(marks) == 0 {
		return m.Path + ": not pinned, no tags"
	}
	return m.Path + ": " + strings.Join(marks, ", ")
}

// marks are what a receipt's pin and tags are called in tables.
func marks(pinned string, tags []string) []string {
	var list []string
	if pinned != "" {
		list = append(list, "pinned: "+pinned)
	}
	if len(tags) > 0 {
		list = append(list, "tags: "+strings.Join(tags, " "))
	}
	return list
}
