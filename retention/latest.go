package retention

import (
	"fmt"
	"strconv"
	"strings"
)

// Latest keeps the n newest checkpoints and removes the others; n below one
// keeps none. Those that are rejected are counted by themselves, and go when
// they are older than the n newest others. (TensorFlow: max_to_keep)
func Latest(n int) Policy {
	n = max(n, 0)
	return each(func() func([]Checkpoint, int) Verdict {
		good, rejected := 0, 0 // which are newer
		l := newest{n: n}
		return func(list []Checkpoint, i int) Verdict {
			if list[i].Rejected == "" {
				good++
				return l.judge(good)
			}
			rejected++
			// Else they would pile up where all that is saved is rejected.
			v := l.judge(max(good+1, rejected))
			if v.Fate == Keep {
				v.Reason = fmt.Sprintf("rejected, no older than the latest %d others", n)
			}
			return v
		}
	})
}

// newest is one call of Latest's Judge.
type newest struct {
	n       int
	reasons strings.Builder // all of them: one for each that is kept, at every save
}

// judge judges the checkpoint of the given rank, 1 being the newest.
func (l *newest) judge(rank int) Verdict {
	switch {
	case rank <= l.n:
		return Verdict{Fate: Keep, Reason: l.reason(rank)}
	case l.n == 0:
		return Verdict{Fate: Remove, Reason: "none is kept for being the latest"}
	case l.n == 1:
		return Verdict{Fate: Remove, Reason: "older than the latest"}
	}
	return Verdict{Fate: Remove, Reason: fmt.Sprintf("older than the latest %d", l.n)}
}

// reason returns "latest 2 of 3".
func (l *newest) reason(rank int) string {
	from := l.reasons.Len()
	var digits [20]byte
	l.reasons.WriteString("latest ")
	l.reasons.Write(strconv.AppendInt(digits[:0], int64(rank), 10))
	l.reasons.WriteString(" of ")
	l.reasons.Write(strconv.AppendInt(digits[:0], int64(l.n), 10))
	return l.reasons.String()[from:]
}
