package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
)

var sortKeys = []string{"name", "created", "time", "step", "metric"}

// order sorts list, whose order is that of the names, by --sort. Runs that
// lack what it sorts by come last.
func (o *runsOptions) order(list []experiment.Listing) {
	switch o.sort {
	case "created":
		sortRuns(list, func(l experiment.Listing) float64 { return timeKey(l.Record.Created) })
	case "time":
		sortRuns(list, func(l experiment.Listing) float64 { return timeKey(timeOf(l.Newest)) })
	case "step":
		sortRuns(list, func(l experiment.Listing) float64 {
			if step := stepOf(l.Newest); step != nil {
				return float64(*step)
			}
			return math.NaN()
		})
	case "metric":
		sortRuns(list, func(l experiment.Listing) float64 {
			v, ok := o.best(l)
			if !ok {
				return math.NaN()
			}
			if o.highest {
				return -v
			}
			return v
		})
	}
}

// sortRuns sorts by key, lowest first, and those without (NaN) last.
func sortRuns(list []experiment.Listing, key func(experiment.Listing) float64) {
	slices.SortStableFunc(list, func(a, b experiment.Listing) int {
		x, y := key(a), key(b)
		if math.IsNaN(x) || math.IsNaN(y) {
			return cmp.Compare(boolInt(math.IsNaN(x)), boolInt(math.IsNaN(y)))
		}
		return cmp.Compare(x, y)
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func timeKey(t time.Time) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixMicro())
}

func timeOf(l *checkpoint.Listing) time.Time {
	if l == nil {
		return time.Time{}
	}
	return l.Time
}

// stepOf returns the step of a checkpoint by its receipt, or its number.
func stepOf(l *checkpoint.Listing) *int64 {
	switch {
	case l == nil:
		return nil
	case l.Receipt != nil && l.Receipt.Step != nil:
		return l.Receipt.Step
	case l.Number >= 0:
		return &l.Number
	}
	return nil
}

func metricsOf(l *checkpoint.Listing) map[string]float64 {
	if l == nil || l.Receipt == nil {
		return nil
	}
	return l.Receipt.Metrics
}

func (o *runsOptions) best(l experiment.Listing) (float64, bool) {
	if l.Best == nil {
		return 0, false
	}
	v, ok := metricsOf(l.Best)[o.metric]
	return v, ok
}

func (a *app) runsTable(list []experiment.Listing, o *runsOptions) *table {
	t := &table{columns: []column{
		{title: "NAME"}, {title: "STATUS"}, {title: "CREATED"}, {title: "CKPTS", right: true}, {title: "SIZE", right: true},
		{title: "STEP", right: true}, {title: "AGE", right: true}, {title: "TIME"}, {title: "BEST"}, {title: "TAGS"}, {title: "FROM"},
		{title: "METRICS"}, {title: "PARAMS"},
	}}
	for _, l := range list {
		t.add(a.runRow(l, o)...)
	}
	if !a.screen.tty {
		t.drop("AGE") // programs have the time
		return t
	}
	for i, title := range []string{"BEST", "TAGS", "FROM", "METRICS", "PARAMS"} {
		if i > 0 || o.metric == "" {
			t.dropEmpty(title)
		}
	}
	t.drop("TIME") // people have the age
	t.fit(a.screen.width, "CREATED", "SIZE", "FROM", "CKPTS")
	return t
}

// dropEmpty takes a column away that has no text in any row.
func (t *table) dropEmpty(title string) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.title == title })
	if !slices.ContainsFunc(t.rows, func(row []cell) bool { return row[i].text != "" }) {
		t.drop(title)
	}
}

func (a *app) runRow(l experiment.Listing, o *runsOptions) []cell {
	step, from := cell{text: "-"}, ""
	if n := stepOf(l.Newest); n != nil {
		step = same(strconv.FormatInt(*n, 10))
	}
	if l.Record.From != nil {
		from = l.Record.From.String()
	}
	when := timeOf(l.Newest)
	return []cell{
		same(l.Name), statusCell(l), stamp(l.Record.Created), number(int64(l.Checkpoints)), size(l.Bytes),
		step, {text: age(when, a.now())}, stamp(when), o.bestCell(l), same(strings.Join(l.Record.Tags, ",")), same(from),
		metricsCell(metricsOf(l.Newest)), same(paramsText(l.Record.Params)),
	}
}

func statusCell(l experiment.Listing) cell {
	c := same(statusText(l))
	switch {
	case l.Err != nil || l.Record.Status == experiment.Failed:
		c.style = red
	case l.Record.Status == experiment.Running:
		c.style = green
	}
	return c
}

func statusText(l experiment.Listing) string {
	switch {
	case l.Err != nil:
		return "unreadable"
	case !l.Recorded:
		return "unrecorded"
	}
	return cmp.Or(string(l.Record.Status), "-")
}

func (o *runsOptions) bestCell(l experiment.Listing) cell {
	v, ok := o.best(l)
	if !ok {
		return cell{}
	}
	return cell{
		text:  printable(fmt.Sprintf("%.4g (%s)", v, l.Best.Path)),
		plain: printable(fmt.Sprintf("%v %s", v, l.Best.Path)),
	}
}

func metricsCell(metrics map[string]float64) cell {
	return cell{text: printable(metricsText(metrics, "%s=%.4g")), plain: printable(metricsText(metrics, "%s=%v"))}
}

func metricsText(metrics map[string]float64, layout string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		texts = append(texts, fmt.Sprintf(layout, name, metrics[name]))
	}
	return strings.Join(texts, " ")
}

func paramsText(params map[string]any) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		texts = append(texts, name+"="+paramText(params[name]))
	}
	return strings.Join(texts, " ")
}

// paramText is a param as people write it; lists and objects are JSON.
func paramText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
