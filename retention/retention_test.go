package retention

import (
	"encoding/json"
	"fmt"
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
	Latest        *int         `json:"latest,omitempty"`
	Every         string       `json:"every,omitempty"`
	LastPreserved float64      `json:"last_preserved,omitempty"` // seconds
	Any           []policyJSON `json:"any,omitempty"`
}

func (p policyJSON) policy(t *testing.T) Policy {
	t.Helper()
	switch {
	case p.Latest != nil:
		return Latest(*p.Latest)
	case p.Every != "":
		d, err := time.ParseDuration(p.Every)
		if err != nil {
			t.Fatal(err)
		}
		return Every(d, seconds(p.LastPreserved))
	}
	var parts []Policy
	for _, part := range p.Any {
		parts = append(parts, part.policy(t))
	}
	return Any(parts...)
}

func seconds(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }

// caseJSON is one file of testdata: input, and what comes out.
type caseJSON struct {
	Why      string        `json:"why"`
	Policy   policyJSON    `json:"policy"`
	Times    []float64     `json:"times"` // of the checkpoints, in seconds, oldest first
	Verdicts []verdictJSON `json:"verdicts"`
}

type verdictJSON struct {
	Path   string `json:"path"`
	Fate   string `json:"fate"`
	Reason string `json:"reason"`
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
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d cases (%v), want at least 10", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c caseJSON
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list := checkpoints(c.Times)
		c.Verdicts = []verdictJSON{}
		for i, v := range c.Policy.policy(t).Judge(list) {
			c.Verdicts = append(c.Verdicts, verdictJSON{list[i].Path, v.Fate.String(), v.Reason})
		}
		got, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Equal(t, filepath.Base(file), append(got, '\n'))
	}
}

// lists draws lists of checkpoints; times mostly rise, as they do.
func lists(t *rapid.T) []Checkpoint {
	now := rapid.Float64Range(-10, 1e6).Draw(t, "start")
	steps := rapid.SliceOfN(rapid.Float64Range(-60, 3600), 0, 40).Draw(t, "steps")
	for i, step := range steps {
		now += step
		steps[i] = now
	}
	return checkpoints(steps)
}

func policies() *rapid.Generator[Policy] {
	return rapid.Custom(func(t *rapid.T) Policy {
		latest := Latest(rapid.IntRange(-1, 10).Draw(t, "n"))
		d := time.Duration(rapid.Int64Range(-1, int64(2*time.Hour)).Draw(t, "d"))
		every := Every(d, seconds(rapid.Float64Range(-100, 1e6).Draw(t, "last")))
		return rapid.SampledFrom([]Policy{latest, every, Any(latest, every), Any(every, latest), Any(), Any(latest)}).Draw(t, "policy")
	})
}

func TestEveryVerdictHasAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := lists(t)
		before := slices.Clone(list)
		p := policies().Draw(t, "policy")
		verdicts := p.Judge(list)
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
		if !slices.Equal(verdicts, p.Judge(list)) {
			t.Fatal("Judge of the same list gave something else")
		}
	})
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
