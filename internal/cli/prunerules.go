package cli

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/retention"
)

// pruneRules are the flags of prune that say what stays.
type pruneRules struct {
	latest   int
	best     []string
	steps    int64
	within   string
	calendar [5]int // as in calendarRules
	tags     []string
	maxBytes string
	metrics  []string // of best
}

// calendarRules are the flags --keep-hourly and so on.
var calendarRules = [5]struct {
	name, period string
	rule         func(n int, loc *time.Location) retention.Policy
}{
	{"hourly", "hours", retention.Hourly},
	{"daily", "days", retention.Daily},
	{"weekly", "weeks", retention.Weekly},
	{"monthly", "months", retention.Monthly},
	{"yearly", "years", retention.Yearly},
}

func (r *pruneRules) flags(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&r.latest, "keep-latest", 0, "keep the `N` newest")
	f.StringArrayVar(&r.best, "keep-best", nil, "keep the best: `N:METRIC:min` or N:METRIC:max")
	f.Int64Var(&r.steps, "keep-every-steps", 0, "keep the first at or after each multiple of `N` steps")
	f.StringVar(&r.within, "keep-within", "", "keep what is at most `DURATION` older than the newest: 36h, 14d")
	for i, rule := range calendarRules {
		f.IntVar(&r.calendar[i], "keep-"+rule.name, 0, fmt.Sprintf("keep the newest of each of the last `N` %s that have one; =-1: of all", rule.period))
	}
	f.StringArrayVar(&r.tags, "keep-tag", nil, "keep what has the `TAG`")
	f.StringVar(&r.maxBytes, "max-bytes", "", "of all that keep no more than `SIZE`, the newest first: 200GB, 1TiB")
}

// policy returns what the flags that were given amount to. None is an error:
// nothing would say what to keep.
func (r *pruneRules) policy(c *cobra.Command) (retention.Policy, error) {
	rules, err := r.keeping(c)
	if err != nil {
		return nil, &usageError{"prune: " + err.Error(), helpHint(c)}
	}
	limited := c.Flags().Changed("max-bytes")
	if len(rules) == 0 && !limited {
		return nil, &usageError{"prune: no rule says what to keep", "give --keep-latest N, for one; " + helpHint(c)}
	}
	policy := retention.Any(rules...)
	if limited {
		n, err := humanize.ParseBytes(r.maxBytes)
		if err != nil || n > math.MaxInt64 {
			return nil, &usageError{fmt.Sprintf("prune: --max-bytes %q is not a size", r.maxBytes), "give it as 200GB or 1TiB"}
		}
		policy = retention.All(policy, retention.MaxBytes(int64(n)))
	}
	return policy, nil
}

// keeping returns the rules of the --keep flags that were given.
func (r *pruneRules) keeping(c *cobra.Command) (rules []retention.Policy, err error) {
	given := c.Flags().Changed
	if given("keep-latest") {
		rules = append(rules, retention.Latest(r.latest))
	}
	r.metrics = nil
	for _, text := range r.best {
		n, metric, err := parseBest(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, retention.Best(n, metric))
		r.metrics = append(r.metrics, metric.Name)
	}
	if given("keep-every-steps") {
		rules = append(rules, retention.EverySteps(r.steps))
	}
	if given("keep-within") {
		d, err := parseDuration(r.within)
		if err != nil {
			return nil, err
		}
		rules = append(rules, retention.Within(d))
	}
	for i, rule := range calendarRules {
		if given("keep-" + rule.name) {
			rules = append(rules, rule.rule(r.calendar[i], time.Local))
		}
	}
	if given("keep-tag") {
		rules = append(rules, retention.Tagged(r.tags...))
	}
	return rules, nil
}

// parseBest reads "3:val_loss:min". A metric's name may have colons.
func parseBest(text string) (n int, m retention.Metric, err error) {
	first, last := strings.Index(text, ":"), strings.LastIndex(text, ":")
	if first < 0 || first == last {
		return 0, m, fmt.Errorf("--keep-best %q is not N:METRIC:min or N:METRIC:max", text)
	}
	n, err = strconv.Atoi(text[:first])
	metric := text[first+1 : last]
	if err != nil || n < 1 || metric == "" {
		return 0, m, fmt.Errorf("--keep-best %q is not N:METRIC:min or N:METRIC:max", text)
	}
	switch text[last+1:] {
	case "min":
		return n, retention.Lowest(metric), nil
	case "max":
		return n, retention.Highest(metric), nil
	}
	return 0, m, fmt.Errorf("--keep-best %q does not end in min or max", text)
}

// parseDuration reads a duration as Go writes it, or a number of days, "14d".
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err == nil && n >= 0 && n <= 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("--keep-within %q is not a duration such as 36h or 14d", text)
	}
	return d, nil
}

// measured returns an error if the plan would remove checkpoints as not the
// best by a metric that none has: most often a word that is wrong. In a manager
// such a rule is none: there the metric may come with later saves.
func (r *pruneRules) measured(plan *checkpoint.Plan) error {
	removed, has := make(map[string]bool), make(map[string]map[string]bool)
	for _, c := range plan.Checkpoints {
		name := c.Path[:max(0, strings.LastIndexByte(c.Path, '-'))]
		removed[name] = removed[name] || c.Fate == retention.Remove
		if has[name] == nil {
			has[name] = make(map[string]bool)
		}
		for metric, v := range c.Metrics {
			has[name][metric] = has[name][metric] || !math.IsNaN(v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(removed)) {
		for _, metric := range r.metrics {
			if removed[name] && !has[name][metric] {
				return unmeasured(name, metric, slices.Sorted(maps.Keys(has[name])))
			}
		}
	}
	return nil
}

func unmeasured(name, metric string, have []string) error {
	hint := "they have no metrics at all"
	if len(have) > 0 {
		hint = "they have " + someOf(have, 10)
	}
	return &usageError{fmt.Sprintf("prune: none of the checkpoints %s-… has a value of %q, by which --keep-best is to keep some", name, metric), hint}
}
