package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func (a *app) duCommand() *cobra.Command {
	var runs, checkpoints bool
	c := &cobra.Command{
		Use:   "du [DIRECTORY...]",
		Short: "Say what directories take of the disk",
		Long: `Say what directories, with all below them, take of the disk: by the kind of the
files, with --runs by the directories that checkpoints lie in, or with
--checkpoints by these themselves. APPARENT is the sum of the sizes, UNIQUE counts
a file with several names once: checkpoints share what has not changed between
them. Of a checkpoint, ALONE is what no other has, and what becomes free when it
is removed, and SHARED is what others have, too.

Then, what is free there (with the quota, where the system tells it), and when
it will be full if the runs at work go on as they went: by the numbers of their
checkpoints, and how many of these stay.

The kinds are: data, index, receipt, parity, state (the file 'checkpoint'),
recovery (a checkpoint that was being overwritten), quarantine (broken ones, put
aside), leases (and locks), temporary (files of saves under way, or cut short;
'ckpt doctor' tells), other.`,
		Example: `  ckpt du runs
  ckpt du runs --runs
  ckpt du run-1 --checkpoints
  ckpt du runs --json | jq '.directories[0].full_in_seconds'`,
		Args:              wantArgs(0, -1, "DIRECTORYs"),
		ValidArgsFunction: a.completePaths,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			by := duTable
			switch {
			case runs && checkpoints:
				return &usageError{"du: --runs and --checkpoints are two tables", "give one of them, or --json, which has both"}
			case runs:
				by = duRunTable
			case checkpoints:
				by = duCheckpointTable
			}
			return a.du(c.Context(), args, by)
		},
	}
	c.Flags().BoolVar(&runs, "runs", false, "a row for each directory that checkpoints lie in, not for each kind")
	c.Flags().BoolVar(&checkpoints, "checkpoints", false, "a row for each checkpoint")
	return c
}

type duJSON struct {
	Schema      int           `json:"schema"`
	Directories []duDirectory `json:"directories"`
}

type duDirectory struct {
	Directory string `json:"directory"`
	duUsage
	Kinds       []duKind       `json:"kinds"`
	Runs        []duRun        `json:"runs"`
	Checkpoints []duCheckpoint `json:"checkpoints"`
	Free        *int64         `json:"free,omitempty"`
	Total       *int64         `json:"total,omitempty"`
	PerHour     *float64       `json:"growth_bytes_per_hour,omitempty"`
	FullIn      *float64       `json:"full_in_seconds,omitempty"`
}

type duUsage struct {
	Files    int   `json:"files"`
	Apparent int64 `json:"apparent_bytes"`
	Unique   int64 `json:"unique_bytes"`
}

type duKind struct {
	Kind string `json:"kind"`
	duUsage
}

type duRun struct {
	Directory string `json:"directory"`
	duUsage
	Checkpoints int `json:"checkpoints"`
}

type duCheckpoint struct {
	Path string `json:"path"`
	duUsage
	Alone  int64 `json:"alone_bytes"`
	Shared int64 `json:"shared_bytes"`
}

// du measures what it can and returns what went wrong with the others.
func (a *app) du(ctx context.Context, roots []string, by func(duJSON) *table) error {
	list := duJSON{Schema: schema, Directories: []duDirectory{}}
	var failed []error
	for _, root := range roots {
		d, err := a.measured(ctx, root)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		list.Directories = append(list.Directories, d)
	}
	if a.json && (len(failed) == 0 || len(list.Directories) > 0) {
		if err := a.printJSON(list); err != nil {
			return err
		}
	} else if !a.json {
		by(list).write(a.out, a.screen)
		a.duOutlook(list)
	}
	return a.joinErrors(failed)
}

func (a *app) measured(ctx context.Context, root string) (duDirectory, error) {
	u, err := checkpoint.MeasureDisk(ctx, local.Dir(root))
	if err != nil {
		return duDirectory{}, err
	}
	d := duDirectory{Directory: root, duUsage: duUsage(u.Usage), Kinds: []duKind{}, Runs: []duRun{}, Checkpoints: []duCheckpoint{}}
	for _, k := range u.Kinds {
		d.Kinds = append(d.Kinds, duKind{k.Kind, duUsage(k.Usage)})
	}
	for _, r := range u.Runs {
		if r.Checkpoints > 0 || r.Dir == "" && len(u.Runs) == 1 {
			d.Runs = append(d.Runs, duRun{filepath.Join(root, filepath.FromSlash(r.Dir)), duUsage(r.Usage), r.Checkpoints})
		}
	}
	for _, c := range u.Checkpoints {
		d.Checkpoints = append(d.Checkpoints, duCheckpoint{filepath.Join(root, filepath.FromSlash(c.Path)), duUsage(c.Usage), c.Alone, c.Shared()})
	}
	if u.Space != nil {
		d.Free, d.Total = &u.Space.Free, &u.Space.Total
	}
	if f := u.Forecast(a.now()); f != nil {
		seconds := f.Full.Seconds()
		d.PerHour, d.FullIn = &f.PerHour, &seconds
	}
	return d, nil
}

func duTable(list duJSON) *table {
	t := &table{columns: append([]column{{title: "DIRECTORY"}, {title: "KIND"}}, duColumns...)}
	for _, d := range list.Directories {
		for _, k := range d.Kinds {
			t.add(append([]cell{same(d.Directory), same(k.Kind)}, k.row()...)...)
		}
		t.add(append([]cell{same(d.Directory), same("all")}, d.row()...)...)
	}
	return t
}

func duRunTable(list duJSON) *table {
	t := &table{columns: append([]column{{title: "DIRECTORY"}, {title: "CHECKPOINTS", right: true}}, duColumns...)}
	for _, d := range list.Directories {
		for _, r := range d.Runs {
			t.add(append([]cell{same(r.Directory), same(strconv.Itoa(r.Checkpoints))}, r.row()...)...)
		}
	}
	return t
}

func duCheckpointTable(list duJSON) *table {
	t := &table{columns: slices.Concat([]column{{title: "CHECKPOINT"}}, duColumns,
		[]column{{title: "ALONE", right: true}, {title: "SHARED", right: true}})}
	for _, d := range list.Directories {
		for _, c := range d.Checkpoints {
			t.add(slices.Concat([]cell{same(c.Path)}, c.row(), []cell{size(c.Alone), size(c.Shared)})...)
		}
	}
	return t
}

// duColumns are those of a duUsage, in every table.
var duColumns = []column{{title: "FILES", right: true}, {title: "APPARENT", right: true}, {title: "UNIQUE", right: true}}

func (u duUsage) row() []cell {
	return []cell{number(int64(u.Files)), size(u.Apparent), size(u.Unique)}
}

// duOutlook tells people, on standard error, what is free and for how long.
func (a *app) duOutlook(list duJSON) {
	for _, d := range list.Directories {
		if d.Free == nil {
			continue
		}
		text := fmt.Sprintf("%s: %s of %s are free", d.Directory, humanSize(*d.Free), humanSize(*d.Total))
		if d.FullIn != nil {
			text += fmt.Sprintf("; at %s an hour they are full in %s", humanSize(int64(*d.PerHour)), longest(time.Duration(*d.FullIn*float64(time.Second))))
		}
		a.note(text)
	}
}

// longest returns a duration in the largest unit that fits.
func longest(d time.Duration) string {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	case d < year:
		return fmt.Sprintf("%d days", int(d/day))
	}
	return "more than a year"
}
