package retention

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/golden"
)

// policyJSON describes a policy in a case of testdata.
type policyJSON struct {
	Latest        *int          `json:"latest,omitempty"`
	Every         string        `json:"every,omitempty"`
	LastPreserved float64       `json:"last_preserved,omitempty"` // seconds
	Best          *bestJSON     `json:"best,omitempty"`
	EverySteps    *int64        `json:"every_steps,omitempty"`
	Within        string        `json:"within,omitempty"`
	Calendar      *calendarJSON `json:"calendar,omitempty"`
	MaxBytes      *int64        `json:"max_bytes,omitempty"`
	Tagged        []string      `json:"tagged,omitempty"`
	Any           []policyJSON  `json:"any,omitempty"`
	All           []policyJSON  `json:"all,omitempty"`
}

type bestJSON struct {
	N       int    `json:"n"`
	Lowest  string `json:"lowest,omitempty"`
	Highest string `json:"highest,omitempty"`
}

type calendarJSON struct {
	Rule string `json:"rule"`
	N    int    `json:"n"`
	Zone string `json:"zone,omitempty"`
}

func (p policyJSON) policy(t *testing.T) Policy {
	t.Helper()
	switch {
	case p.Latest != nil:
		return Latest(*p.Latest)
	case p.Every != "":
		return Every(duration(t, p.Every), seconds(p.LastPreserved))
	case p.Best != nil && p.Best.Highest != "":
		return Best(p.Best.N, Highest(p.Best.Highest))
	case p.Best != nil:
		return Best(p.Best.N, Lowest(p.Best.Lowest))
	case p.EverySteps != nil:
		return EverySteps(*p.EverySteps)
	case p.Within != "":
		return Within(duration(t, p.Within))
	case p.Calendar != nil:
		return p.Calendar.policy(t)
	case p.MaxBytes != nil:
		return MaxBytes(*p.MaxBytes)
	case p.Tagged != nil:
		return Tagged(p.Tagged...)
	case p.All != nil:
		return All(policiesOf(t, p.All)...)
	}
	return Any(policiesOf(t, p.Any)...)
}

func policiesOf(t *testing.T, list []policyJSON) []Policy {
	t.Helper()
	var policies []Policy
	for _, p := range list {
		policies = append(policies, p.policy(t))
	}
	return policies
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// calendars are the rules by their names.
var calendars = map[string]func(int, *time.Location) Policy{
	"hourly": Hourly, "daily": Daily, "weekly": Weekly, "monthly": Monthly, "yearly": Yearly,
}

func (c calendarJSON) policy(t *testing.T) Policy {
	t.Helper()
	loc, err := time.LoadLocation(c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	return calendars[c.Rule](c.N, loc)
}

func seconds(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }

// caseJSON is one file of testdata: input, and what comes out.
type caseJSON struct {
	Why      string        `json:"why"`
	Policy   policyJSON    `json:"policy"`
	Floors   bool          `json:"floors,omitempty"`      // ask through Judge
	Times    []float64     `json:"times,omitempty"`       // of the checkpoints, in seconds, oldest first
	List     []inputJSON   `json:"checkpoints,omitempty"` // instead of times
	Verdicts []verdictJSON `json:"verdicts"`
}

// inputJSON is a checkpoint. A metric of NaN is the string.
type inputJSON struct {
	Time     time.Time      `json:"time,omitzero"`
	Step     *int64         `json:"step,omitempty"`
	Size     int64          `json:"size,omitempty"`
	Metrics  map[string]any `json:"metrics,omitempty"`
	Tags     []string       `json:"tags,omitempty"`
	Pinned   string         `json:"pinned,omitempty"`
	Leased   string         `json:"leased,omitempty"`
	Verified bool           `json:"verified,omitempty"`
}

type verdictJSON struct {
	Path   string `json:"path"`
	Fate   string `json:"fate"`
	Reason string `json:"reason"`
	Floor  bool   `json:"floor,omitempty"`
}

func (c caseJSON) list() []Checkpoint {
	if c.List == nil {
		return checkpoints(c.Times)
	}
	list := checkpoints(make([]float64, len(c.List)))
	for i, in := range c.List {
		list[i] = Checkpoint{Path: list[i].Path, Time: in.Time, Step: in.Step, Size: in.Size,
			Tags: in.Tags, Pinned: in.Pinned, Leased: in.Leased, Verified: in.Verified}
		for name, v := range in.Metrics {
			if list[i].Metrics == nil {
				list[i].Metrics = make(map[string]float64)
			}
			list[i].Metrics[name] = math.NaN()
			if number, ok := v.(float64); ok {
				list[i].Metrics[name] = number
			}
		}
	}
	return list
}

// checkpoints names them by their place, from 1.
func checkpoints(times []float64) []Checkpoint {
	var list []Checkpoint
	for i, s := range times {
		list = append(list, Checkpoint{Path: fmt.Sprintf("ckpt-%d", i+1), Time: seconds(s)})
	}
	return list
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("found %d cases (%v), want at least 30", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c caseJSON
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list, p := c.list(), c.Policy.policy(t)
		verdicts := p.Judge(list)
		if c.Floors {
			verdicts = Judge(p, list)
		}
		c.Verdicts = []verdictJSON{}
		for i, v := range verdicts {
			c.Verdicts = append(c.Verdicts, verdictJSON{list[i].Path, v.Fate.String(), v.Reason, v.Floor})
		}
		got, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Equal(t, filepath.Base(file), append(got, '\n'))
	}
}

func TestLatestKeepsTheLastN(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, n := lists(t), rapid.IntRange(0, 50).Draw(t, "n")
		for i, v := range Latest(n).Judge(list) {
			if kept := v.Fate == Keep; kept != (i >= len(list)-n) {
				t.Fatalf("Latest(%d) of %d: verdict %d = %v", n, len(list), i, v)
			}
		}
	})
}

// sweep is TensorFlow's loop (checkpoint_management.py, _sweep), on times in
// seconds: what is removed and what is preserved of the oldest.
func sweep(times []float64, keep int, hours, lastPreserved float64) []Fate {
	fates := make([]Fate, len(times))
	for i, t := range times {
		switch {
		case len(times)-i <= keep:
			fates[i] = Keep
		case hours != 0 && t-hours*3600 >= lastPreserved:
			fates[i], lastPreserved = Preserve, t
		}
	}
	return fates
}

func TestAnyOfLatestAndEveryIsTensorFlowsSweep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Whole seconds: a float64 and a Duration agree on these.
		var times []float64
		for _, s := range rapid.SliceOfN(rapid.IntRange(-100, 20000), 0, 30).Draw(t, "times") {
			times = append(times, float64(s))
		}
		keep, hours := rapid.IntRange(1, 5).Draw(t, "keep"), rapid.IntRange(0, 3).Draw(t, "hours")
		last := float64(rapid.IntRange(-100, 10000).Draw(t, "last"))
		p := Any(Latest(keep), Every(time.Duration(hours)*time.Hour, seconds(last)))
		for i, want := range sweep(times, keep, float64(hours), last) {
			if got := p.Judge(checkpoints(times))[i]; got.Fate != want {
				t.Fatalf("verdict %d = %v (%s), want %v", i, got.Fate, got.Reason, want)
			}
		}
	})
}

// TestScenario020 replays keep=2, hours=2 and a save each half hour.
func TestScenario020EveryTwoHours(t *testing.T) {
	var list []Checkpoint
	last, preserved := seconds(-1), []string(nil)
	for i := range 9 {
		list = append(list, Checkpoint{Path: fmt.Sprint(i + 1), Time: seconds(float64(i) * 1800)})
		var kept []Checkpoint
		for j, v := range Any(Latest(2), Every(2*time.Hour, last)).Judge(list) {
			switch v.Fate {
			case Keep:
				kept = append(kept, list[j])
			case Preserve:
				last = list[j].Time
				preserved = append(preserved, list[j].Path)
			}
		}
		list = kept
	}
	if !slices.Equal(preserved, []string{"5"}) || len(list) != 2 || list[0].Path != "8" || last.Unix() != 7200 {
		t.Errorf("preserved %v at %v, list %v, want [5] at 7200 s and [8 9]", preserved, last.Unix(), list)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "1h", 72 * time.Minute: "1h12m", 48 * time.Hour: "48h", 90 * time.Second: "1m30s",
		time.Hour + time.Second: "1h0m1s", 20 * time.Minute: "20m", 1500 * time.Millisecond: "2s",
		100 * time.Millisecond: "100ms", 10 * time.Second: "10s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}
