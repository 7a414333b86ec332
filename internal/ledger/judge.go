package ledger

import (
	"slices"

	"github.com/ckpt-dev/ckpt/retention"
)

// Sweep is what becomes of a list.
type Sweep struct {
	Preserve, Remove []Judged
	Retain           []Judged // whose reason is another than before, "" for what is listed again
	Failed           string   // how the policy has failed, so that nothing is removed
}

// Judged is a checkpoint and what is to be known of its verdict.
type Judged struct {
	retention.Checkpoint
	Reason string
}

// Empty reports whether all stays as it is.
func (s Sweep) Empty() bool { return len(s.Preserve)+len(s.Remove)+len(s.Retain) == 0 }

// Judge asks the policy, and the floors that none crosses.
func (l Ledger) Judge(p retention.Policy) Sweep {
	var s Sweep
	for i, v := range retention.Judge(p, l.Active) {
		c := Judged{l.Active[i], v.Reason}
		was, unlisted := l.Retained[c.Path]
		if v.Failed {
			s.Failed = v.Reason
		}
		switch v.Fate {
		case retention.Remove:
			s.Remove = append(s.Remove, c)
		case retention.Preserve:
			s.Preserve = append(s.Preserve, c)
		case retention.Retain:
			if !unlisted || was != c.Reason {
				s.Retain = append(s.Retain, c)
			}
		case retention.Keep:
			if c.Reason = ""; unlisted {
				s.Retain = append(s.Retain, c)
			}
		}
	}
	return s
}

// JudgeBefore is Judge as if next were saved already, for who needs room for
// it: it removes nothing that is a floor as long as it is not.
func (l Ledger) JudgeBefore(p retention.Policy, next retention.Checkpoint) (s Sweep) {
	now := retention.Judge(p, l.Active)
	for i, v := range retention.Judge(p, append(slices.Clone(l.Active), next))[:len(now)] {
		if v.Fate == retention.Remove && !now[i].Floor {
			s.Remove = append(s.Remove, Judged{l.Active[i], v.Reason})
		}
	}
	return s
}
