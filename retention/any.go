package retention

import "strings"

// Any gives each checkpoint the strongest fate that one of the policies gives
// it, and the reasons of those that agree. Keep is stronger than Preserve:
// what some policy still lists has not left the list, and a Preserve of
// another policy takes effect when it does. With no policy at all nothing is
// removed: there is nothing that says it should.
func Any(policies ...Policy) Policy {
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		verdicts := make([]Verdict, len(list))
		if len(policies) == 0 {
			for i := range verdicts {
				verdicts[i] = Verdict{Keep, "every checkpoint is kept"}
			}
			return verdicts
		}
		ballots := make([][]Verdict, len(policies))
		for i, p := range policies {
			ballots[i] = p.Judge(list)
		}
		for i := range verdicts {
			verdicts[i] = strongest(ballots, i)
		}
		return verdicts
	})
}

// strongest combines what the policies say about checkpoint i.
func strongest(ballots [][]Verdict, i int) Verdict {
	fate := Remove
	for _, b := range ballots {
		fate = max(fate, b[i].Fate)
	}
	var reasons []string
	for _, b := range ballots {
		if b[i].Fate == fate {
			reasons = append(reasons, b[i].Reason)
		}
	}
	return Verdict{fate, strings.Join(reasons, "; ")}
}
