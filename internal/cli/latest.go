package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func (a *app) latestCommand() *cobra.Command {
	var valid, stay bool
	c := &cobra.Command{
		Use:   "latest [DIR] [--valid]",
		Short: "Print the path of the newest checkpoint",
		Long: `Print the path of the newest checkpoint of a directory, of the current one if
none is given: the one that the state file names.

With --valid it is the newest that is whole: every tensor is read and checked
against its checksum, from the newest on, until one is good. Those that it goes
back over are told on standard error. One that has parity is mended first, and
is then the newest. Other broken ones are put aside to DIR/.ckpt.quarantine, with
the cause beside them, and nothing is deleted: only what is just as broken when
it is read again and nobody is reading, only while no training holds the
directory's lock, and never unless another checkpoint of its name is whole. An
error of the disk is no damage, and ends the command. To put one back, move its
files from there to DIR again, the .index last.`,
		Example: `  ckpt latest run-1
  train --resume "$(ckpt latest run-1 --valid)"`,
		Args:              wantArgs(0, 1, "DIR"),
		ValidArgsFunction: a.completeOnePath,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			if stay && !valid {
				return &usageError{"latest: --no-quarantine is for --valid", helpHint(c)}
			}
			return a.latest(c.Context(), args[0], valid, stay)
		},
	}
	c.Flags().BoolVar(&valid, "valid", false, "pass over broken checkpoints, and mend them or put them aside")
	c.Flags().BoolVar(&stay, "no-quarantine", false, "with --valid: leave broken checkpoints as they are, where they are")
	return c
}

// latestJSON has no path where none is whole: Passed says why.
type latestJSON struct {
	Schema  int          `json:"schema"`
	Path    string       `json:"path"`
	RawPath string       `json:"path_base64,omitempty"`
	Passed  []passedJSON `json:"passed,omitempty"`
}

// passedJSON is a checkpoint that was passed over.
type passedJSON struct {
	Path        string `json:"path"`
	Kind        string `json:"kind"`
	Error       string `json:"error"`
	Quarantined string `json:"quarantined,omitempty"`
	Mended      bool   `json:"mended,omitempty"` // and so it is the path
}

func (a *app) latest(ctx context.Context, arg string, valid, stay bool) error {
	p, err := locate(arg)
	if err != nil {
		return err
	}
	if p.path != "" {
		if !exists(arg) && !exists(arg+".index") {
			return noCheckpoints(arg)
		}
		return hintf(absentf("%s: not a directory", arg), "latest wants the directory, %s", p.root)
	}
	found, passed, err := a.findLatest(ctx, p, valid, stay)
	list := p.passed(passed)
	for _, one := range list {
		if !a.json {
			a.note(one.text())
		}
	}
	if err != nil {
		err = p.noLatest(err, len(list))
		if a.json && len(list) > 0 {
			err = errors.Join(err, a.printJSON(latestJSON{Schema: schema, Passed: list}))
		}
		return err
	}
	if !valid {
		a.noteState(ctx, p)
	}
	path := p.name(found)
	if a.json {
		return a.printJSON(latestJSON{schema, path, rawName(path), list})
	}
	_, err = fmt.Fprintln(a.out, printable(path))
	return err
}

// findLatest finds it. Only what puts aside needs to write.
func (a *app) findLatest(ctx context.Context, p place, valid, stay bool) (string, []checkpoint.Broken, error) {
	if !valid {
		path, err := checkpoint.Latest(ctx, p.dir)
		return path, nil, err
	}
	bar := a.startProgress(0, false) // how much is read shows when one is whole
	defer bar.close()
	count := func(name string, n int) { bar.read(p.name(checkpointOf(name)), n) }
	if stay {
		return checkpoint.LatestValid(ctx, countingDir{p.dir, count}, &checkpoint.LatestValidOptions{Deep: true})
	}
	return checkpoint.LatestValid(ctx, countingDir{local.Dir(p.root), count}, &checkpoint.LatestValidOptions{Quarantine: true})
}

// passed returns what is to be told of those that were passed over.
func (p place) passed(broken []checkpoint.Broken) []passedJSON {
	var list []passedJSON
	for _, b := range broken {
		one := p
		one.path = b.Path
		told := passedJSON{Path: p.name(b.Path), Kind: kinds[exitCode(b.Err)], Error: sentence(one.explain(b.Err))}
		if errors.Is(b.Err, checkpoint.ErrRejected) {
			told.Kind = "rejected"
		}
		if b.Quarantined != "" {
			told.Quarantined = p.name(b.Quarantined)
		}
		told.Mended = len(b.Mended) > 0
		list = append(list, told)
	}
	return list
}

// text is the line for people.
func (j passedJSON) text() string {
	switch {
	case j.Mended:
		return "was damaged, and is mended by its parity: " + j.Error
	case j.Quarantined == "":
		return "passed over: " + j.Error
	}
	return "put aside to " + j.Quarantined + ": " + j.Error
}

// noLatest finds the sentence for a directory without a checkpoint to name.
func (p place) noLatest(err error, passed int) error {
	switch {
	case errors.Is(err, checkpoint.ErrNoneValid):
		return hintf(spoiled(fmt.Sprintf("%s: no checkpoint is whole, of %d; all stay where they are", p.root, passed)),
			"'ckpt doctor --deep %s' says what can be mended, and with --fix mends it", p.root)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return noCheckpoints(p.root)
	}
	return p.explain(err)
}

// spoiled is the error of a directory in which all is broken.
type spoiled string

func (e spoiled) Error() string { return string(e) }

// Is reports whether target is checkpoint.ErrNoneValid.
func (e spoiled) Is(target error) bool { return target == checkpoint.ErrNoneValid }
