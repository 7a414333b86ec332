package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls [PATH...]",
		Short: "List the checkpoints of directories",
		Long: `List the checkpoints of directories, each from the oldest to the newest; of
the current directory if none is given. A PATH that is a checkpoint is listed
alone.

The flags are: latest (the newest, by the state file if there is one), managed
(a manager lists it and may remove it), kept (why it was preserved for good),
retained (why a manager keeps it that does not list it), pinned (why no rule may
remove it), tags, leased (who is reading it), incomplete (a data file is
missing), rejected (a restore found its model to be wrong, and passes over it),
receipt unreadable.

Broken checkpoints that were put aside ('ckpt help latest') are told on standard
error, with --json in the list "quarantined".`,
		Example: `  ckpt ls run-1
  ckpt ls run-* --json | jq -r '.checkpoints[] | select(.latest).path'`,
		Args:              wantArgs(0, -1, "PATHs"),
		ValidArgsFunction: a.completePaths,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return a.ls(c.Context(), args)
		},
	}
}

type lsJSON struct {
	Schema      int              `json:"schema"`
	Checkpoints []checkpointJSON `json:"checkpoints"`
	Quarantined []asideJSON      `json:"quarantined,omitempty"`
}

// checkpointJSON describes one checkpoint of a directory.
type checkpointJSON struct {
	Path      string         `json:"path"`
	Directory string         `json:"directory"`
	Name      string         `json:"name"`
	RawName   string         `json:"name_base64,omitempty"`
	Number    *int64         `json:"number,omitempty"`
	Step      *int64         `json:"step,omitempty"`
	Time      *time.Time     `json:"time,omitempty"`
	Bytes     int64          `json:"bytes"`
	Shards    int            `json:"shards"`
	Format    string         `json:"format"`
	Complete  bool           `json:"complete"`
	Latest    bool           `json:"latest"`
	Managed   bool           `json:"managed"`
	Kept      string         `json:"kept,omitempty"`
	Retained  string         `json:"retained,omitempty"`
	Pinned    string         `json:"pinned,omitempty"`
	Leased    string         `json:"leased,omitempty"`
	Tags      []string       `json:"tags,omitempty"`
	Rejected  string         `json:"rejected,omitempty"`
	Metrics   map[string]any `json:"metrics,omitempty"`
	Run       string         `json:"run,omitempty"`
	From      string         `json:"restored_from,omitempty"`
	Commit    string         `json:"commit,omitempty"`
	Dirty     bool           `json:"dirty,omitempty"`

	ReceiptError string `json:"receipt_error,omitempty"`
}

// listed returns the checkpoints of a directory, or the one that path means.
func (a *app) listed(ctx context.Context, path string) ([]checkpointJSON, error) {
	p, err := locate(path)
	if err != nil {
		return nil, err
	}
	only := ""
	if p.path != "" {
		if err := p.with(ctx, func(r *opened) error { only = r.path; return nil }); err != nil {
			return nil, err
		}
	}
	list, err := p.list(ctx)
	if err == nil {
		a.noteState(ctx, p)
	}
	var found []checkpointJSON
	for _, l := range list {
		if only == "" || l.Path == only {
			found = append(found, p.describe(l))
		}
	}
	return found, err
}

// list returns the checkpoints of p's directory; none is an error.
func (p place) list(ctx context.Context) ([]checkpoint.Listing, error) {
	list, err := checkpoint.List(ctx, p.dir, &checkpoint.ListOptions{Receipts: true})
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, p.explain(err)
	}
	if len(list) == 0 {
		return nil, noCheckpoints(p.root)
	}
	return list, nil
}

func (p place) describe(l checkpoint.Listing) checkpointJSON {
	c := checkpointJSON{
		Path: p.name(l.Path), Directory: p.root, Name: l.Path, RawName: rawName(l.Path),
		Bytes: l.Size, Shards: l.Shards, Format: l.Format, Complete: l.Complete, Latest: l.Latest, Managed: l.Managed, Leased: l.Leased,
	}
	if !l.Time.IsZero() {
		when := l.Time.UTC()
		c.Time = &when
	}
	if l.Receipt != nil {
		r := l.Receipt
		c.Step, c.Metrics = r.Step, jsonMetrics(r.Metrics)
		c.Kept, c.Retained, c.Pinned, c.Tags = r.Kept, r.Retained, r.Pinned, r.Tags
		c.Run, c.From, c.Commit, c.Dirty = l.Receipt.Run, l.Receipt.RestoredFrom, l.Receipt.Commit, l.Receipt.Dirty
		c.Rejected = l.Receipt.Rejected
	}
	if l.Number >= 0 {
		c.Number = &l.Number
	}
	if l.ReceiptErr != nil {
		c.ReceiptError = sentence(l.ReceiptErr)
	}
	return c
}

// ls lists what it can and returns what went wrong with the others.
func (a *app) ls(ctx context.Context, paths []string) error {
	list := lsJSON{Schema: schema, Checkpoints: []checkpointJSON{}}
	var failed []error
	for _, path := range paths {
		found, err := a.listed(ctx, path)
		if err != nil {
			failed = append(failed, err)
		}
		list.Checkpoints = append(list.Checkpoints, found...)
		aside, err := a.aside(ctx, path)
		if err != nil {
			failed = append(failed, err)
		}
		list.Quarantined = append(list.Quarantined, aside...)
	}
	if len(list.Checkpoints) > 0 || len(failed) == 0 {
		if err := a.printList(list, len(paths) > 1); err != nil {
			return err
		}
	}
	return a.joinErrors(failed)
}

func (a *app) printList(list lsJSON, several bool) error {
	if a.json {
		return a.printJSON(list)
	}
	a.listTable(list, several).write(a.out, a.screen)
	return nil
}

// joinErrors returns the only error as it is; several are printed, a line
// each, and count as printed.
func (a *app) joinErrors(list []error) error {
	if len(list) <= 1 || a.json {
		return errors.Join(list...)
	}
	for _, err := range list {
		printError(a.stderr, err)
	}
	return reported{errors.Join(list...)}
}

func (a *app) listTable(list lsJSON, several bool) *table {
	t := &table{columns: []column{
		{title: "NAME"}, {title: "STEP", right: true}, {title: "AGE", right: true}, {title: "TIME"},
		{title: "SIZE", right: true}, {title: "SHARDS", right: true}, {title: "FORMAT"}, {title: "FLAGS"}, {title: "METRICS"},
	}}
	for _, c := range list.Checkpoints {
		t.add(a.listRow(c, several)...)
	}
	if !a.screen.tty {
		t.drop("AGE") // programs have the time
	} else if !slices.ContainsFunc(list.Checkpoints, func(c checkpointJSON) bool { return len(c.Metrics) > 0 }) {
		t.drop("METRICS")
	}
	if a.screen.tty {
		t.fit(a.screen.width, "TIME", "SHARDS", "FORMAT") // people have the age
	}
	return t
}

func (a *app) listRow(c checkpointJSON, several bool) []cell {
	name, step := same(c.Name), cell{text: "-"}
	if several {
		name = same(c.Path)
	}
	if c.Step != nil {
		step = same(strconv.FormatInt(*c.Step, 10))
	}
	var when time.Time
	if c.Time != nil {
		when = *c.Time
	}
	flags := same(c.flags())
	switch {
	case !c.Complete || c.Rejected != "" || c.ReceiptError != "":
		flags.style = yellow
	case c.Latest:
		flags.style = green
	}
	return []cell{name, step, {text: age(when, a.now())}, stamp(when), size(c.Bytes),
		same(strconv.Itoa(c.Shards)), same(c.Format), flags, {text: printable(c.metrics("%s=%.4g")), plain: printable(c.metrics("%s=%v"))}}
}

func (c checkpointJSON) flags() string {
	var flags []string
	if c.Latest {
		flags = append(flags, "latest")
	}
	if !c.Complete {
		flags = append(flags, "incomplete")
	}
	if c.Managed {
		flags = append(flags, "managed")
	}
	if c.Kept != "" {
		flags = append(flags, "kept: "+c.Kept)
	}
	if c.Retained != "" && c.Retained != "pinned: "+c.Pinned {
		flags = append(flags, "retained: "+c.Retained)
	}
	flags = append(flags, marks(c.Pinned, c.Tags)...)
	if c.Leased != "" {
		flags = append(flags, "leased: "+c.Leased)
	}
	if c.Rejected != "" {
		flags = append(flags, "rejected: "+c.Rejected)
	}
	if c.ReceiptError != "" {
		flags = append(flags, "receipt unreadable")
	}
	return strings.Join(flags, ", ")
}

func (c checkpointJSON) metrics(layout string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		if s, ok := c.Metrics[name].(string); ok {
			texts = append(texts, name+"="+s)
			continue
		}
		texts = append(texts, fmt.Sprintf(layout, name, c.Metrics[name]))
	}
	return strings.Join(texts, " ")
}

// jsonMetrics makes what JSON has no number for a string.
func jsonMetrics(metrics map[string]float64) map[string]any {
	var values map[string]any
	for name, v := range metrics {
		if values == nil {
			values = make(map[string]any, len(metrics))
		}
		values[name] = v
		if math.IsNaN(v) || math.IsInf(v, 0) {
			values[name] = strings.Trim(jsonNumber(strconv.FormatFloat(v, 'g', -1, 64)), `"`)
		}
	}
	return values
}
