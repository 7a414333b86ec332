package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/experiment"
)

// compareRuns prints the runs names side by side.
func (a *app) compareRuns(root string, list []experiment.Listing, names []string, o *runsOptions) error {
	var chosen []experiment.Listing
	for _, name := range names {
		i := slices.IndexFunc(list, func(l experiment.Listing) bool { return l.Name == strings.TrimSuffix(name, "/") })
		if i < 0 {
			return unknownRun(root, name, list)
		}
		chosen = append(chosen, list[i])
	}
	fields := compared(list, chosen, o)
	if o.diff {
		fields = slices.DeleteFunc(fields, func(f runField) bool { return !f.differs() })
	}
	if a.json {
		j := describeRuns(chosen, o)
		for _, f := range fields {
			if f.differs() {
				j.Differences = append(j.Differences, differenceJSON{f.name, f.values})
			}
		}
		return a.printJSON(j)
	}
	a.compareTable(chosen, fields).write(a.out, a.screen)
	return nil
}

func unknownRun(root, name string, list []experiment.Listing) error {
	var names []string
	for _, l := range list {
		names = append(names, l.Name)
	}
	err := absentf("%s: no such run in %s", name, root)
	if near := nearest(name, names, 3); len(near) > 0 {
		return hintf(err, "did you mean %s?", strings.Join(near, ", "))
	}
	return hintf(err, "it has %s", someOf(names, 5))
}

// runField is a line of a comparison: a value for each run.
type runField struct {
	name   string
	values []string
}

func (f runField) differs() bool {
	return slices.ContainsFunc(f.values, func(v string) bool { return v != f.values[0] })
}

// compared returns the fields of the chosen runs; params and metrics that only
// some have are "" with the others.
func compared(list, chosen []experiment.Listing, o *runsOptions) []runField {
	var fields []runField
	add := func(name string, value func(experiment.Listing) string) {
		f := runField{name: name}
		for _, l := range chosen {
			f.values = append(f.values, value(l))
		}
		fields = append(fields, f)
	}
	add("status", statusText)
	add("error", func(l experiment.Listing) string { return l.Record.Error })
	add("tags", func(l experiment.Listing) string { return strings.Join(l.Record.Tags, ",") })
	add("from", func(l experiment.Listing) string { return lineage(list, l.Name) })
	add("commit", commitText)
	add("created", func(l experiment.Listing) string { return momentText(l.Record.Created) })
	add("host", func(l experiment.Listing) string { return l.Record.Host })
	add("checkpoints", func(l experiment.Listing) string { return strconv.Itoa(l.Checkpoints) })
	add("newest", newestText)
	if o.metric != "" {
		add("best "+o.metric, func(l experiment.Listing) string { return o.bestCell(l).plain })
	}
	for _, name := range namesOf(chosen, func(l experiment.Listing) []string { return slices.Collect(maps.Keys(l.Record.Params)) }) {
		add("param "+name, func(l experiment.Listing) string {
			if v, ok := l.Record.Params[name]; ok {
				return paramText(v)
			}
			return ""
		})
	}
	for _, name := range namesOf(chosen, func(l experiment.Listing) []string { return slices.Collect(maps.Keys(metricsOf(l.Newest))) }) {
		add("metric "+name, func(l experiment.Listing) string {
			if v, ok := metricsOf(l.Newest)[name]; ok {
				return strconv.FormatFloat(v, 'g', -1, 64)
			}
			return ""
		})
	}
	return slices.DeleteFunc(fields, func(f runField) bool { return !slices.ContainsFunc(f.values, func(v string) bool { return v != "" }) })
}

// namesOf returns, sorted, what any of the runs has.
func namesOf(runs []experiment.Listing, of func(experiment.Listing) []string) []string {
	all := make(map[string]bool)
	for _, l := range runs {
		for _, name := range of(l) {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// lineage is where a run came from, nearest first.
func lineage(list []experiment.Listing, name string) string {
	var chain []string
	for _, from := range experiment.Ancestors(list, name) {
		chain = append(chain, from.String())
	}
	return strings.Join(chain, " < ")
}

func commitText(l experiment.Listing) string {
	if l.Record.Dirty {
		return l.Record.Commit + " (dirty)"
	}
	return l.Record.Commit
}

func newestText(l experiment.Listing) string {
	if l.Newest == nil {
		return ""
	}
	if step := stepOf(l.Newest); step != nil {
		return l.Newest.Path + " at step " + strconv.FormatInt(*step, 10)
	}
	return l.Newest.Path
}

func momentText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *app) compareTable(chosen []experiment.Listing, fields []runField) *table {
	t := &table{columns: []column{{title: "FIELD"}, {title: ""}}}
	for _, l := range chosen {
		t.columns = append(t.columns, column{title: printable(l.Name)})
	}
	for _, f := range fields {
		row := []cell{same(f.name), {}}
		if f.differs() {
			row[1] = cell{text: "≠", plain: "differs", style: yellow}
		}
		for _, v := range f.values {
			row = append(row, same(v))
		}
		t.add(row...)
	}
	return t
}
