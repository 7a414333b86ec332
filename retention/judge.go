package retention

import (
	"fmt"
	"slices"
)

// Reasons of the floors that are about a checkpoint's place.
const (
	newestStays   = "newest checkpoint: never removed"
	verifiedStays = "newest verified checkpoint: never removed"
)

// isRejected is why a checkpoint is none that a rule looks for.
const isRejected = "rejected"

// Judge asks the policy and then sees to the floors: the newest checkpoint
// stays in the list; the newest verified one, pinned and leased ones, and
// those that the policy itself calls a floor, stay on disk. A policy that
// panics, or does not answer for every checkpoint, removes nothing; no policy
// at all, nil, neither.
func Judge(p Policy, list []Checkpoint) []Verdict {
	verdicts := ask(p, list)
	verified := len(list) - 1
	for verified >= 0 && (!list[verified].Verified || list[verified].Rejected != "") {
		verified--
	}
	for i, c := range list {
		v := &verdicts[i]
		if i == len(list)-1 {
			v.stay(Keep, newestStays)
			v.Fate = Keep
		}
		if i == verified {
			v.stay(Retain, verifiedStays)
		}
		if c.Pinned != "" {
			v.stay(Retain, "pinned: "+c.Pinned)
		}
		// Who reads will be done soon: it stays where the next sweep, of
		// whatever process, finds it.
		if c.Leased != "" {
			v.stay(Keep, "leased by "+c.Leased)
		}
	}
	return verdicts
}

// stay makes a verdict a floor. The fate and the reason are for what the policy
// would have removed.
func (v *Verdict) stay(fate Fate, reason string) {
	v.Floor = true
	if v.Fate == Remove {
		v.Fate, v.Reason = fate, reason
	}
}

// ask is the policy's own answer, if that can be one.
func ask(p Policy, list []Checkpoint) (verdicts []Verdict) {
	if p == nil {
		return Any().Judge(list)
	}
	defer func() {
		if r := recover(); r != nil {
			verdicts = failed(list, fmt.Sprintf("the policy failed, so nothing is removed: %v", r))
		}
	}()
	verdicts = slices.Clone(p.Judge(slices.Clone(list)))
	if len(verdicts) != len(list) {
		return failed(list, fmt.Sprintf("the policy gave %d verdicts for %d checkpoints, so nothing is removed", len(verdicts), len(list)))
	}
	for i, v := range verdicts {
		// Fates of a version to come, perhaps; and a floor that is removed.
		if v.Fate < Remove || v.Fate > Keep || v.Fate == Remove && v.Floor {
			verdicts[i].Fate = Retain
		}
	}
	return verdicts
}

func failed(list []Checkpoint, reason string) []Verdict {
	verdicts := keepAll(list, reason)
	for i := range verdicts {
		verdicts[i].Failed = true
	}
	return verdicts
}
