package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

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
incomplete; overwrites and removals that were interrupted; and what is left over
of writers that died. Sizes, indexes and receipts are checked; with --deep every
checksum.

Without --fix nothing is changed. With it what is fixable is mended, under the
writer's lock, so not while a training is at work. What could be restored is
never removed, nor what is not certainly ours, nor what is less than an hour
old. A state file or a receipt that is replaced is kept beside, as NAME.old-….

A state file that names a whole checkpoint which is not the newest may have been
set back on purpose, and one that names a damaged one may wait for a backup:
--fix=state points these at the newest that is whole, too.

The exit code is 0 if nothing is wrong, or nothing any more; warnings and notes
do not count. Else it is 3 where a file is damaged, 4 where one is missing, and
1 for other problems.`,
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
	r, err := doctor.Examine(ctx, local.Dir(p.root), o)
	if err != nil {
		return p.notExamined(err)
	}
	if r.Checkpoints == 0 && len(r.Findings) == 0 {
		return noCheckpoints(p.root)
	}
	if fix != "" {
		if r, err = a.mend(ctx, p, r, fix); err != nil && len(r.Mended) == 0 {
			return err
		}
	}
	if err != nil { // and yet something was done, which is to be told
		a.tell(err)
		err = reported{err}
	}
	return errors.Join(err, a.printReport(p, r), a.verdict(r, fix != ""))
}

// mend lets doctor mend what it has found, and tells of each as it is done.
func (a *app) mend(ctx context.Context, p place, r *doctor.Report, fix string) (*doctor.Report, error) {
	after, err := r.Fix(ctx, &doctor.FixOptions{State: fix == fixState, Tell: func(f doctor.Finding, err error) {
		if err != nil {
			a.note(fmt.Sprintf("%s, and cannot be mended: %s", f.What, sentence(err)))
		} else if !a.json {
			a.printFinding("mended", green, f)
			// An error stays with the writer until Main flushes it again.
			_ = a.out.Flush()
		}
	}})
	switch {
	case errors.Is(err, storage.ErrLocked):
		return after, hintf(p.explain(err), "a training is at work there; without --fix doctor only looks")
	case err != nil:
		return after, p.explain(err)
	}
	return after, nil
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
	checked := fmt.Sprintf("%s, %d valid", count(r.Checkpoints, "checkpoint"), r.Valid)
	if r.Unknown > 0 {
		checked += "; " + count(r.Unknown, "file") + " that ckpt does not know left alone"
	}
	problems := r.Problems()
	switch n := len(r.Fixable()); {
	case len(problems) == 0 && len(r.Mended) == 0:
		checked += "; nothing is wrong"
	case len(problems) == 0:
		checked += fmt.Sprintf("; %d mended", len(r.Mended))
	case fixed:
		checked += fmt.Sprintf("; %d mended, %s left", len(r.Mended), count(len(problems), "problem"))
	default:
		checked += fmt.Sprintf("; %s, --fix mends %d", count(len(problems), "problem"), n)
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

type doctorJSON struct {
	Schema      int           `json:"schema"`
	Directory   string        `json:"directory"`
	Checkpoints int           `json:"checkpoints"`
	Valid       int           `json:"valid"`
	Newest      string        `json:"newest,omitempty"`
	Unknown     int           `json:"unknown_files"`
	Mended      []findingJSON `json:"mended"`
	Findings    []findingJSON `json:"findings"`
}

// findingJSON is one finding. OnRequest is what only --fix=state mends.
type findingJSON struct {
	Kind      string   `json:"kind"`
	Severity  string   `json:"severity"`
	Path      string   `json:"path,omitempty"`
	Files     []string `json:"files"`
	What      string   `json:"what"`
	Why       string   `json:"why"`
	Fix       string   `json:"fix"`
	Fixable   bool     `json:"fixable"`
	OnRequest bool     `json:"on_request,omitempty"`
	Error     string   `json:"error,omitempty"`
}

func (p place) examined(r *doctor.Report) doctorJSON {
	j := doctorJSON{Schema: schema, Directory: p.root, Checkpoints: r.Checkpoints, Valid: r.Valid, Unknown: r.Unknown,
		Mended: findingsJSON(r.Mended), Findings: findingsJSON(r.Findings)}
	if r.Newest != "" {
		j.Newest = p.name(r.Newest)
	}
	return j
}

func findingsJSON(list []doctor.Finding) []findingJSON {
	found := []findingJSON{}
	for _, f := range list {
		j := findingJSON{Kind: string(f.Kind), Severity: f.Severity.String(), Path: f.Path, Files: f.Files,
			What: printable(f.What), Why: printable(f.Why), Fix: printable(f.Fix), Fixable: f.Fixable, OnRequest: f.OnRequest}
		if f.Err != nil {
			j.Error = sentence(f.Err)
		}
		found = append(found, j)
	}
	return found
}
