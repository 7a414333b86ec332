package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// The values of doctor's --fix.
const (
	fixAll   = "all"
	fixState = "state"
)

func (a *app) doctorCommand() *cobra.Command {
	var o doctor.Options
	var fix string
	c := &cobra.Command{
		Use:   "doctor DIR [--deep] [--fix]",
		Short: "Find what is wrong with a directory of checkpoints, and mend it",
		Long: `Look at a directory of checkpoints and say what is wrong, how one can tell, and
what can be done: a broken, missing or stale state file; receipts that are
missing, broken or about another checkpoint; checkpoints that are damaged or
incomplete; parity that is missing or damaged; overwrites and removals that were
interrupted; files that cannot be read; and what is left over of writers that
died. Sizes, indexes and receipts are checked. With --deep all data and parity
is read, and every checksum compared: only that finds a byte that has changed.

Without --fix nothing is changed, and a training may be at work meanwhile. With
it what is fixable is mended, under the writer's lock, so not while a training
is at work. Damage of data is mended by parity, where there is some, if it is
found: use --deep --fix. What could be restored is never removed, nor what is
not certainly ours, nor what is less than an hour old. A state file or a receipt
that is replaced is kept beside, as NAME.old-…. Before a state file names
another checkpoint all of that is read.

A state file that names a whole checkpoint which is not the newest may have been
set back on purpose, and one that names a damaged one may wait for a backup:
--fix=state points these at the newest that is whole, too.

Exit codes: 0 nothing is wrong, or nothing any more; warnings and notes do not
count. 1 other problems, or --fix failed, as where a training is at work. 2 the
command line makes no sense. 3 a file is damaged, or no checkpoint is whole.
4 a file is missing, or there are no checkpoints. 130 interrupted. The first in
the order 3, 4, 1 decides. In JSON the files of a finding are named as they are
in the directory, checkpoints by their whole path.`,
		Example: `  ckpt doctor run-1
  ckpt doctor run-1 --deep --fix
  ckpt doctor run-1 --json | jq -r '.findings[] | [.kind, .what] | @tsv'`,
		Args:              wantArgs(1, 1, "DIR"),
		ValidArgsFunction: a.completeOnePath,
		RunE: func(c *cobra.Command, args []string) error {
			return a.doctor(c.Context(), args[0], &o, fix)
		},
	}
	c.Flags().BoolVar(&o.Deep, "deep", false, "read all data and verify every checksum")
	c.Flags().StringVar(&fix, "fix", "", `mend what is fixable; "state": also a state file that may be so on purpose`)
	c.Flags().Lookup("fix").NoOptDefVal = fixAll
	return c
}

func (a *app) doctor(ctx context.Context, arg string, o *doctor.Options, fix string) error {
	if fix != "" && fix != fixAll && fix != fixState {
		return &usageError{fmt.Sprintf("doctor: --fix=%s is not --fix or --fix=state", fix), "run 'ckpt help doctor'"}
	}
	p, err := locate(arg)
	if err != nil {
		return err
	}
	if p.path != "" {
		if !isDir(arg) && (exists(arg) || exists(arg+".index")) {
			return &usageError{fmt.Sprintf("doctor: %s is not a directory", arg), "name the directory; 'ckpt verify' is for one checkpoint"}
		}
		p = directory(arg, arg)
	}
	o.Now = a.now
	var total int64
	if o.Deep && a.errs.tty {
		total = p.allBytes(ctx)
	}
	bar := a.startProgress(total, !o.Deep && fix == "")
	defer bar.close()
	o.Reading = func(path string, n int) { bar.read(p.name(path), n) }
	r, err := doctor.Examine(ctx, local.Dir(p.root), o)
	if err != nil {
		return p.notExamined(err)
	}
	if r.Checkpoints == 0 && len(r.Findings) == 0 {
		return noCheckpoints(p.root)
	}
	if fix != "" {
		r, err = a.mend(ctx, p, r, fix, bar)
	}
	bar.close()
	if err != nil { // and yet something was found, which is to be told
		a.tell(err)
		err = reported{err}
	}
	return errors.Join(err, a.printReport(p, r), a.verdict(r, fix != ""))
}

// allBytes returns how much there is to read in a directory. That it cannot be
// listed is told by who examines it.
func (p place) allBytes(ctx context.Context) (n int64) {
	list, _ := checkpoint.List(ctx, p.dir, nil) // what it has found is near enough
	for _, l := range list {
		n += l.Size
	}
	return n
}

// mend lets doctor mend what it has found, and tells of each as it is done.
func (a *app) mend(ctx context.Context, p place, r *doctor.Report, fix string, bar *progress) (*doctor.Report, error) {
	after, err := r.Fix(ctx, &doctor.FixOptions{State: fix == fixState, Tell: func(f doctor.Finding, err error) {
		bar.aside(func() { a.toldOf(f, err) })
	}})
	if after.Unlocked {
		a.note(p.root + ": this file system has no locks: nothing would have kept a training from writing meanwhile")
	}
	switch {
	case errors.Is(err, storage.ErrLocked):
		return after, hintf(p.explain(err), "a training is at work there; without --fix doctor only looks")
	case err != nil:
		return after, p.explain(err)
	}
	return after, nil
}

// toldOf tells of a finding that was to be mended.
func (a *app) toldOf(f doctor.Finding, err error) {
	if err != nil {
		a.note(fmt.Sprintf("%s, and cannot be mended: %s", f.What, sentence(err)))
	} else if !a.json {
		a.printFinding("mended", green, f)
		// An error stays with the writer until Main flushes it again.
		_ = a.out.Flush()
	}
}

// notExamined finds the sentence for a directory that could not be looked at.
func (p place) notExamined(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !isDir(p.root) {
		return noCheckpoints(p.root)
	}
	return p.explain(err)
}

// printReport prints what is left to say, and on standard error how much.
func (a *app) printReport(p place, r *doctor.Report) error {
	if a.json {
		return a.printJSON(p.examined(r))
	}
	for _, f := range r.Findings {
		a.printFinding(f.Severity.String(), severityStyle[f.Severity], f)
	}
	return a.out.Flush()
}

var severityStyle = map[doctor.Severity]style{doctor.Problem: red, doctor.Warning: yellow, doctor.Note: dim}

// printFinding prints several lines for people, and one for programs. An error
// stays with the writer until Main flushes it.
func (a *app) printFinding(what string, st style, f doctor.Finding) {
	if !a.screen.tty {
		t := new(table)
		t.add(same(what), same(string(f.Kind)), same(strings.Join(f.Files, " ")), same(f.What), same(f.Why), same(f.Fix))
		t.writePlain(a.out)
		return
	}
	fmt.Fprintf(a.out, "%s  %s\n", a.screen.paint(st, pad(what, len("problem"))), printable(f.What))
	did := "fix"
	if what == "mended" {
		did = "done"
	}
	fmt.Fprintf(a.out, "         why: %s\n         %s: %s\n", printable(f.Why), did, printable(f.Fix))
}

// verdict sums up, and returns what the exit code is to tell.
func (a *app) verdict(r *doctor.Report, fixed bool) error {
	problems := r.Problems()
	checked := looked(r)
	if len(r.Unknown) > 0 {
		checked += "; " + count(len(r.Unknown), "file") + " that ckpt does not know left alone"
	}
	if len(r.Mended) > 0 || fixed && len(problems) > 0 {
		checked += fmt.Sprintf("; %d mended", len(r.Mended))
	}
	switch n := len(r.Fixable()); {
	case len(problems) > 0 && fixed:
		checked += fmt.Sprintf(", %s left", count(len(problems), "problem"))
	case len(problems) > 0:
		with := "--fix"
		if r.Deep {
			with = "--deep --fix"
		}
		checked += fmt.Sprintf("; %s, %s mends %d", count(len(problems), "problem"), with, n)
	case len(r.Mended) == 0 && r.Deep:
		checked += "; nothing is wrong"
	case len(r.Mended) == 0:
		checked += "; nothing wrong was found"
	}
	if !a.json {
		a.note(checked)
	}
	var errs []error
	for _, f := range problems {
		err := f.Err
		if err == nil {
			err = errors.New(f.What)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return reported{err}
	}
	return nil
}

// looked says what was looked at, and what of that is right.
func looked(r *doctor.Report) string {
	if r.Deep {
		return fmt.Sprintf("%s, %d whole", count(r.Checkpoints, "checkpoint"), r.Valid)
	}
	return fmt.Sprintf("%s, %d whole by sizes, indexes and receipts (--deep reads the data)", count(r.Checkpoints, "checkpoint"), r.Valid)
}

// doctorJSON has Valid of those that passed what was looked at: all of them if
// Deep, else sizes, indexes and receipts.
type doctorJSON struct {
	Schema      int           `json:"schema"`
	Directory   string        `json:"directory"`
	Deep        bool          `json:"deep"`
	Checkpoints int           `json:"checkpoints"`
	Valid       int           `json:"valid"`
	Newest      string        `json:"newest,omitempty"`
	RawNewest   string        `json:"newest_base64,omitempty"`
	Unknown     []string      `json:"unknown_files"`
	Unlocked    bool          `json:"unlocked,omitempty"`
	Mended      []findingJSON `json:"mended"`
	Findings    []findingJSON `json:"findings"`
}

// findingJSON is one finding. OnRequest is what only --fix=state mends.
type findingJSON struct {
	Kind      string   `json:"kind"`
	Severity  string   `json:"severity"`
	Path      string   `json:"path,omitempty"`
	RawPath   string   `json:"path_base64,omitempty"`
	Files     []string `json:"files"`
	What      string   `json:"what"`
	Why       string   `json:"why"`
	Fix       string   `json:"fix"`
	Fixable   bool     `json:"fixable"`
	OnRequest bool     `json:"on_request,omitempty"`
	Error     string   `json:"error,omitempty"`
}

func (p place) examined(r *doctor.Report) doctorJSON {
	j := doctorJSON{Schema: schema, Directory: p.root, Deep: r.Deep, Checkpoints: r.Checkpoints, Valid: r.Valid,
		Unknown: append([]string{}, r.Unknown...), Unlocked: r.Unlocked, Mended: p.findings(r.Mended), Findings: p.findings(r.Findings)}
	if r.Newest != "" {
		j.Newest = p.name(r.Newest)
		j.RawNewest = rawName(j.Newest)
	}
	return j
}

func (p place) findings(list []doctor.Finding) []findingJSON {
	found := []findingJSON{}
	for _, f := range list {
		j := findingJSON{Kind: string(f.Kind), Severity: f.Severity.String(), Files: f.Files,
			What: printable(f.What), Why: printable(f.Why), Fix: printable(f.Fix), Fixable: f.Fixable, OnRequest: f.OnRequest}
		if f.Path != "" {
			j.Path = p.name(f.Path)
			j.RawPath = rawName(j.Path)
		}
		if f.Err != nil {
			j.Error = sentence(f.Err)
		}
		found = append(found, j)
	}
	return found
}
