package retention

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestARejectedOneTakesNoOthersPlace: what is not rejected fares as if the
// rejected ones were not there.
func TestARejectedOneTakesNoOthersPlace(t *testing.T) {
	for name, p := range map[string]Policy{
		"latest": Latest(2), "best": Best(2, Lowest("loss")), "steps": EverySteps(3),
		"every": Every(2*time.Hour, time.Time{}), "daily": Daily(2, nil), "hourly": Hourly(3, nil),
		"any": Any(Latest(1), Best(1, Lowest("loss"))),
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				list := lists(t)
				var good []Checkpoint
				for i := range list {
					list[i].Leased, list[i].Pinned = "", ""
					if rapid.Bool().Draw(t, "rejected") {
						list[i].Rejected = "bad"
					} else {
						good = append(good, list[i])
					}
				}
				var got []Verdict
				for i, v := range p.Judge(list) {
					if list[i].Rejected == "" {
						got = append(got, v)
					} else if v.Floor {
						t.Errorf("a rejected one is a floor: %+v", v)
					}
				}
				if want := p.Judge(good); !slices.Equal(got, want) {
					t.Errorf("verdicts are %+v, want %+v", got, want)
				}
			})
		})
	}
}

// TestRejectedOnesAgeOut: they stay as long as those among which they came,
// and do not pile up where everything is rejected.
func TestRejectedOnesAgeOut(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"gr", "kk"}, {"ggr", "kkk"}, {"grg", "kkk"}, {"grgg", "--kk"}, {"rgg", "-kk"},
		{"grr", "kkk"}, {"grrr", "k-kk"}, {"ggrrrr", "kk--kk"}, {"rrr", "-kk"},
	} {
		list := make([]Checkpoint, len(c.list))
		for i, r := range c.list {
			if r == 'r' {
				list[i].Rejected = "bad"
			}
		}
		var got []byte
		for _, v := range Latest(2).Judge(list) {
			got = append(got, "-  k"[v.Fate])
			if v.Reason == "" {
				t.Errorf("%s: no reason", c.list)
			}
		}
		if string(got) != c.want {
			t.Errorf("Latest(2) on %s = %s, want %s", c.list, got, c.want)
		}
	}
}

func TestARejectedOneIsNotTheNewestVerified(t *testing.T) {
	list := []Checkpoint{{Verified: true}, {Verified: true, Rejected: "bad"}, {}}
	none := PolicyFunc(func(list []Checkpoint) []Verdict { return make([]Verdict, len(list)) })
	var got []Fate
	for _, v := range Judge(none, list) {
		got = append(got, v.Fate)
	}
	if want := []Fate{Retain, Remove, Keep}; !slices.Equal(got, want) {
		t.Errorf("Judge() = %v, want %v", got, want)
	}
}
