package checkpoint

import (
	"github.com/ckpt-dev/ckpt/retention"
)

// sweeping is what becomes of a list.
type sweeping struct {
	preserve, remove []judged
	retain           []judged // whose reason is another than before, "" for what is listed again
}

// judged is a checkpoint and what is to be known of its verdict.
type judged struct {
	retention.Checkpoint
	reason string
}

func (s sweeping) empty() bool { return len(s.preserve)+len(s.remove)+len(s.retain) == 0 }

// judge asks the policy, and the floors that none crosses.
func (l ledger) judge(p retention.Policy) sweeping {
	var s sweeping
	for i, v := range retention.Judge(p, l.active) {
		c := judged{l.active[i], v.Reason}
		was, unlisted := l.retained[c.Path]
		switch v.Fate {
		case retention.Remove:
			s.remove = append(s.remove, c)
		case retention.Preserve:
			s.preserve = append(s.preserve, c)
		case retention.Retain:
			if !unlisted || was != c.reason {
				s.retain = append(s.retain, c)
			}
		case retention.Keep:
			if c.reason = ""; unlisted {
				s.retain = append(s.retain, c)
			}
		}
	}
	return s
}
