package ledger

import "github.com/ckpt-dev/ckpt/retention"

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
// it: it removes nothing that is a floor as long as it is not, and not what next
// is to replace.
func (l Ledger) JudgeBefore(p retention.Policy, next retention.Checkpoint) (s Sweep) {
	floors := make(map[string]bool)
	for i, v := range retention.Judge(p, l.Active) {
		floors[l.Active[i].Path] = v.Floor
	}
	then := with(without(l.Active, next.Path), next)
	for i, v := range retention.Judge(p, then) {
		if c := then[i]; v.Fate == retention.Remove && !floors[c.Path] && c.Path != next.Path {
			s.Remove = append(s.Remove, Judged{c, v.Reason})
		}
	}
	return s
}
