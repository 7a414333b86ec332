package retention

import "strings"

// Any is the union: it gives each checkpoint the strongest fate that one of
// the policies gives it, and the reasons of those that agree. Keep is stronger
// than Preserve: what some policy still lists has not left the list, and a
// Preserve of another policy takes effect when it does. With no policy at all
// nothing is removed: there is nothing that says it should.
func Any(policies ...Policy) Policy {
	return combined(policies, strongest)
}

// All is the intersection: a checkpoint that one of the policies removes is
// removed, for the reasons of those that do. What all of them leave stays in
// the list if one of them lists it, is preserved if all of them preserve it,
// and otherwise is judged again next time: so a limit such as MaxBytes goes on
// limiting. A floor of one of the policies is one of All. With no policy at
// all nothing is removed.
func All(policies ...Policy) Policy {
	return combined(policies, func(votes []Verdict) Verdict {
		fates := make(map[Fate]bool)
		for _, v := range votes {
			fates[v.Fate] = true
		}
		if fates[Remove] {
			return despite(votes)
		}
		v := strongest(votes)
		if v.Fate == Preserve && fates[Retain] {
			v.Fate = Retain
		}
		v.Reason = reasons(votes, func(Verdict) bool { return true })
		return v
	})
}

// despite is the verdict on what some policy removes: removed, unless a floor
// is in the way.
func despite(votes []Verdict) Verdict {
	floor := func(v Verdict) bool { return v.Floor && v.Fate != Remove }
	if why := reasons(votes, floor); why != "" {
		return Verdict{Fate: Retain, Reason: why, Floor: true}
	}
	return remove(reasons(votes, func(v Verdict) bool { return v.Fate == Remove }))
}

// combined is a policy that asks others and makes one verdict of theirs.
func combined(policies []Policy, decide func(votes []Verdict) Verdict) Policy {
	return PolicyFunc(func(list []Checkpoint) []Verdict {
		if len(policies) == 0 {
			return keepAll(list, "every checkpoint is kept")
		}
		ballots := make([][]Verdict, len(policies))
		for i, p := range policies {
			ballots[i] = p.Judge(list)
		}
		verdicts := make([]Verdict, len(list))
		votes := make([]Verdict, len(policies))
		for i := range verdicts {
			for j, b := range ballots {
				votes[j] = b[i]
			}
			verdicts[i] = decide(votes)
		}
		return verdicts
	})
}

// strongest is the strongest of the votes, with the reasons of those that agree.
func strongest(votes []Verdict) Verdict {
	fate, floor := Remove, false
	for _, v := range votes {
		fate = max(fate, v.Fate)
		floor = floor || v.Floor && v.Fate != Remove
	}
	return Verdict{Fate: fate, Reason: reasons(votes, func(v Verdict) bool { return v.Fate == fate }), Floor: floor}
}

// reasons joins the reasons of those votes that count.
func reasons(votes []Verdict, count func(Verdict) bool) string {
	var list []string
	for _, v := range votes {
		if count(v) {
			list = append(list, v.Reason)
		}
	}
	return strings.Join(list, "; ")
}

func keepAll(list []Checkpoint, reason string) []Verdict {
	verdicts := make([]Verdict, len(list))
	for i := range verdicts {
		verdicts[i] = Verdict{Fate: Keep, Reason: reason}
	}
	return verdicts
}
