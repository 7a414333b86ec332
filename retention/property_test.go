package retention

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lists draws lists of checkpoints; times mostly rise, as they do.
func lists(t *rapid.T) []Checkpoint {
	now := rapid.Float64Range(-10, 1e6).Draw(t, "start")
	list := checkpoints(make([]float64, rapid.IntRange(0, 40).Draw(t, "length")))
	for i := range list {
		now += rapid.Float64Range(-60, 3e5).Draw(t, "pause")
		c := &list[i]
		c.Time = seconds(now)
		c.Size = rapid.Int64Range(0, 5).Draw(t, "size")
		// Files are held by whoever they were drawn for, in any order.
		for _, file := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 4), 0, 3, rapid.ID[int64]).Draw(t, "shared") {
			c.Size += file
			c.Shared = append(c.Shared, SharedFile{fmt.Sprint("file of ", file), file})
		}
		if rapid.Bool().Draw(t, "has a step") {
			step := rapid.Int64Range(-20, 60).Draw(t, "step")
			c.Step = &step
		}
		if rapid.Bool().Draw(t, "has a loss") {
			loss := rapid.SampledFrom([]float64{0, 1, 2, 3, math.NaN(), math.Inf(1)}).Draw(t, "loss")
			c.Metrics = map[string]float64{"loss": loss}
		}
		c.Tags = rapid.SampledFrom([][]string{nil, nil, {"a"}, {"b", "a"}}).Draw(t, "tags")
		c.Pinned = rapid.SampledFrom([]string{"", "", "", "release"}).Draw(t, "pinned")
		c.Leased = rapid.SampledFrom([]string{"", "", "", "evaluator"}).Draw(t, "leased")
		c.Verified = rapid.Bool().Draw(t, "verified")
	}
	return list
}

// rule is a simple policy, and the model of it: the places in list that stay.
type rule struct {
	name   string
	n      int
	policy Policy
	model  func(list []Checkpoint) []int
}

// ruleNames are the rules that are counted or limited by an n, of which more
// is never less.
var ruleNames = []string{"latest", "best", "within", "hourly", "daily", "weekly", "monthly", "yearly", "bytes"}

// named makes a rule of ruleNames, or one of two others.
func named(name string, n int) rule {
	r := rule{name: name, n: n}
	by := func(period func(t time.Time) string) func(list []Checkpoint) []int {
		return func(list []Checkpoint) []int { return newestOfEach(list, n, period) }
	}
	switch name {
	case "latest":
		r.policy, r.model = Latest(n), func(list []Checkpoint) []int { return places(max(len(list)-n, 0), len(list)) }
	case "best":
		r.policy, r.model = Best(n, Lowest("loss")), func(list []Checkpoint) []int { return lowest(list, n) }
	case "within":
		d := time.Duration(n) * 24 * time.Hour
		r.policy, r.model = Within(d), func(list []Checkpoint) []int { return young(list, d) }
	case "hourly":
		r.policy, r.model = Hourly(n, nil), by(func(t time.Time) string { return t.Format("2006-01-02 15") })
	case "daily":
		r.policy, r.model = Daily(n, nil), by(func(t time.Time) string { return t.Format("2006-01-02") })
	case "weekly":
		r.policy, r.model = Weekly(n, nil), by(func(t time.Time) string { return fmt.Sprint(t.ISOWeek()) })
	case "monthly":
		r.policy, r.model = Monthly(n, nil), by(func(t time.Time) string { return t.Format("2006-01") })
	case "yearly":
		r.policy, r.model = Yearly(n, nil), by(func(t time.Time) string { return t.Format("2006") })
	case "bytes":
		r.policy, r.model = MaxBytes(int64(n)), func(list []Checkpoint) []int { return fitting(list, int64(n)) }
	case "steps":
		r.policy, r.model = EverySteps(int64(n)), func(list []Checkpoint) []int { return onGrid(list, float64(n)) }
	case "tagged":
		r.policy = Tagged("b")
		r.model = func(list []Checkpoint) []int {
			return which(list, func(i int) bool { return slices.Contains(list[i].Tags, "b") })
		}
	}
	return r
}

// The models: what each rule keeps of a list by a clock that never goes back,
// in the plainest code.

func places(from, to int) (kept []int) {
	for i := from; i < to; i++ {
		kept = append(kept, i)
	}
	return kept
}

func which(list []Checkpoint, is func(i int) bool) (kept []int) {
	for i := range list {
		if is(i) {
			kept = append(kept, i)
		}
	}
	return kept
}

func lowest(list []Checkpoint, n int) []int {
	with := which(list, func(i int) bool { return list[i].Metrics != nil && !math.IsNaN(list[i].Metrics["loss"]) })
	sort.SliceStable(with, func(a, b int) bool {
		return list[with[a]].Metrics["loss"] < list[with[b]].Metrics["loss"]
	})
	with = with[:min(n, len(with))]
	sort.Ints(with)
	return with
}

func young(list []Checkpoint, d time.Duration) []int {
	return which(list, func(i int) bool { return list[len(list)-1].Time.Sub(list[i].Time) <= d })
}

func newestOfEach(list []Checkpoint, n int, period func(time.Time) string) (kept []int) {
	for i := len(list) - 1; i >= 0 && len(kept) < n; i-- {
		if i == len(list)-1 || period(list[i].Time.UTC()) != period(list[i+1].Time.UTC()) {
			kept = append([]int{i}, kept...)
		}
	}
	return kept
}

func fitting(list []Checkpoint, n int64) []int {
	from := len(list)
	for from > 0 && (onDisk(list[from-1:]) <= n || from == len(list)) {
		from--
	}
	return places(from, len(list))
}

// onDisk is what a disk holds: each file once, the shared by their names.
func onDisk(list []Checkpoint) (bytes int64) {
	files := make(map[string]int64)
	for i, c := range list {
		own := c.Size
		for _, f := range c.Shared {
			files[f.File] = f.Size
			own -= f.Size
		}
		files[fmt.Sprint("own of ", i)] = own
	}
	for _, size := range files {
		bytes += size
	}
	return bytes
}

func onGrid(list []Checkpoint, n float64) []int {
	seen := make(map[float64]bool)
	return which(list, func(i int) bool {
		if list[i].Step == nil || n <= 0 || seen[math.Floor(float64(*list[i].Step)/n)] {
			return false
		}
		seen[math.Floor(float64(*list[i].Step)/n)] = true
		return true
	})
}

// stay returns the places of what is not removed.
func stay(verdicts []Verdict) []int {
	var kept []int
	for i, v := range verdicts {
		if v.Fate != Remove {
			kept = append(kept, i)
		}
	}
	return kept
}

func rules(t *rapid.T) rule {
	name := rapid.SampledFrom(append([]string{"steps", "tagged"}, ruleNames...)).Draw(t, "rule")
	return named(name, rapid.IntRange(0, 30).Draw(t, "n"))
}

func TestEachRuleIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, r := lists(t), rules(t)
		// The models know no clocks that go back.
		slices.SortStableFunc(list, func(a, b Checkpoint) int { return a.Time.Compare(b.Time) })
		if got, want := stay(r.policy.Judge(list)), r.model(list); !slices.Equal(got, want) {
			t.Fatalf("%s %d keeps %v, want %v", r.name, r.n, got, want)
		}
	})
}

func TestMoreNeverRemovesMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := lists(t)
		name := rapid.SampledFrom(ruleNames).Draw(t, "rule")
		less := rapid.IntRange(0, 30).Draw(t, "less")
		more := less + rapid.IntRange(0, 10).Draw(t, "and")
		kept := stay(named(name, more).policy.Judge(list))
		for _, i := range stay(named(name, less).policy.Judge(list)) {
			if !slices.Contains(kept, i) {
				t.Fatalf("%s %d keeps place %d, %d does not", name, less, i, more)
			}
		}
	})
}

// policies draws nested combinations. floors collects the best of each rule
// that they are made of.
func policies(t *rapid.T, depth int, bests *[]int) Policy {
	kinds := []string{"rule", "rule", "every", "best", "any", "all"}
	if depth == 0 {
		kinds = kinds[:4]
	}
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "rule":
		return rules(t).policy
	case "best":
		n := rapid.IntRange(1, 5).Draw(t, "n")
		*bests = append(*bests, n)
		return Best(n, Lowest("loss"))
	case "every":
		d := time.Duration(rapid.Int64Range(-1, int64(200*time.Hour)).Draw(t, "d"))
		return Every(d, seconds(rapid.Float64Range(-100, 1e6).Draw(t, "last")))
	default:
		var parts []Policy
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			parts = append(parts, policies(t, depth-1, bests))
		}
		if kind == "any" {
			return Any(parts...)
		}
		return All(parts...)
	}
}

func TestNoCombinationRemovesAFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := lists(t)
		var bests []int
		p := policies(t, 3, &bests)
		verdicts := Judge(p, list)
		var floors []int
		verified := -1
		for i, c := range list {
			if c.Pinned != "" || c.Leased != "" {
				floors = append(floors, i)
			}
			if c.Verified {
				verified = i
			}
		}
		if verified >= 0 {
			floors = append(floors, verified)
		}
		if best := lowest(list, 1); len(bests) > 0 && len(best) > 0 {
			floors = append(floors, best[0])
		}
		for _, i := range floors {
			if v := verdicts[i]; v.Fate == Remove || !v.Floor {
				t.Fatalf("verdict on %+v = %+v, want a floor", list[i], v)
			}
		}
		if last := len(list) - 1; last >= 0 && (verdicts[last].Fate != Keep || !verdicts[last].Floor) {
			t.Fatalf("verdict on the newest = %+v", verdicts[last])
		}
	})
}

func TestEveryVerdictHasAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := lists(t)
		before := slices.Clone(list)
		p := policies(t, 3, new([]int))
		for _, judge := range []func() []Verdict{func() []Verdict { return p.Judge(list) }, func() []Verdict { return Judge(p, list) }} {
			verdicts := judge()
			if len(verdicts) != len(list) {
				t.Fatalf("Judge() = %d verdicts for %d checkpoints", len(verdicts), len(list))
			}
			for i, v := range verdicts {
				if v.Reason == "" || v.Fate.String() == "unknown fate" {
					t.Fatalf("verdict %d = %+v", i, v)
				}
				if list[i].Path != before[i].Path || !list[i].Time.Equal(before[i].Time) {
					t.Fatal("Judge changed the list")
				}
			}
			if !slices.Equal(verdicts, judge()) {
				t.Fatal("Judge of the same list gave something else")
			}
		}
	})
}

// TestWhatIsLeftIsLeftAgain: a sweep leaves what the next sweep leaves, with
// nothing saved in between. A limit of All gives room when others have removed.
func TestWhatIsLeftIsLeftAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, r := lists(t), rules(t)
		slices.SortStableFunc(list, func(a, b Checkpoint) int { return a.Time.Compare(b.Time) })
		var left []Checkpoint
		for _, i := range stay(Judge(r.policy, list)) {
			left = append(left, list[i])
		}
		if again := stay(Judge(r.policy, left)); len(again) != len(left) {
			t.Fatalf("%s %d leaves %d, and of these %d", r.name, r.n, len(left), len(again))
		}
	})
}

// TestAClockThatGoesBackTakesNothing compares what a right clock would have
// kept with what is kept by one that was set back, by whole weeks so that
// hours, days and weeks are the same ones.
func TestAClockThatGoesBackTakesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		var right, wrong []Checkpoint
		back := time.Duration(0)
		for i := range rapid.IntRange(1, 30).Draw(t, "saves") {
			pause := time.Duration(rapid.IntRange(0, 36*60).Draw(t, "minutes")) * time.Minute
			if rapid.IntRange(0, 4).Draw(t, "set back") == 0 {
				back += 7 * 24 * time.Hour * time.Duration(rapid.IntRange(1, 60).Draw(t, "weeks"))
			}
			now = now.Add(pause)
			right = append(right, Checkpoint{Path: fmt.Sprint(i), Time: now, Size: 1})
			wrong = append(wrong, Checkpoint{Path: fmt.Sprint(i), Time: now.Add(-back), Size: 1})
		}
		name := rapid.SampledFrom([]string{"latest", "within", "hourly", "daily", "weekly", "bytes"}).Draw(t, "rule")
		r := named(name, rapid.IntRange(0, 8).Draw(t, "n"))
		kept := stay(r.policy.Judge(wrong))
		for _, i := range stay(r.policy.Judge(right)) {
			if !slices.Contains(kept, i) {
				t.Fatalf("%s %d: place %d is kept by a right clock, but not by %v", name, r.n, i, wrong)
			}
		}
	})
}

// TestAWrongTimeDoesNotStayForEver: what was saved by a clock far in the
// future goes when as much has been saved after it as would have sufficed.
func TestAWrongTimeDoesNotStayForEver(t *testing.T) {
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	list := []Checkpoint{{Path: "wrong", Time: start.AddDate(73, 0, 0)}}
	for day := range 9 {
		list = append(list, Checkpoint{Path: fmt.Sprint(day), Time: start.AddDate(0, 0, day)})
	}
	for name, p := range map[string]Policy{"Within": Within(7 * 24 * time.Hour), "Daily": Daily(7, nil), "Weekly": Weekly(2, nil), "Latest": Latest(3)} {
		if v := p.Judge(list)[0]; v.Fate != Remove {
			t.Errorf("%s: verdict on what was saved in 2099 = %+v, want it removed", name, v)
		}
	}
}

func TestAPolicyThatFailsRemovesNothing(t *testing.T) {
	list := checkpoints([]float64{1, 2, 3})
	short := PolicyFunc(func(list []Checkpoint) []Verdict { return make([]Verdict, len(list)-1) })
	for name, p := range map[string]Policy{
		"panics":               PolicyFunc(func([]Checkpoint) []Verdict { panic("no idea") }),
		"one verdict too few":  short,
		"one that is combined": All(Latest(1), short),
		"none at all":          nil,
		"unknown fates":        PolicyFunc(func([]Checkpoint) []Verdict { return []Verdict{{Fate: 9}, {Fate: -1}, {}} }),
		"removes floors": PolicyFunc(func([]Checkpoint) []Verdict {
			return []Verdict{{Floor: true}, {Floor: true}, {}}
		}),
		"changes its list": PolicyFunc(func(list []Checkpoint) []Verdict {
			list[0] = Checkpoint{}
			return make([]Verdict, 0)
		}),
	} {
		verdicts := Judge(p, list)
		if got := stay(verdicts); len(got) != 3 || list[0].Path != "ckpt-1" {
			t.Errorf("a policy that %s: verdicts %+v, want none removed", name, verdicts)
		}
	}
}
