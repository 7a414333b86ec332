package retention

import (
	"fmt"
	"time"
)

// Hourly retains the newest checkpoint of each of the last n hours that have
// one; see Daily. The hour that a time zone repeats in autumn counts as two.
func Hourly(n int, loc *time.Location) Policy {
	return calendar("hourly", "hours", n, loc, func(t time.Time) (string, string) {
		return t.Format("2006-01-02 15:00"), t.Format("2006-01-02 15 -0700")
	})
}

// Daily retains the newest checkpoint of each of the last n days that have
// one, as restic's keep-daily does, and removes the others. A negative n is all
// days, zero none; days are those of loc, nil being UTC. A day without a
// checkpoint does not count: n days of training stay, however long ago.
//
// Where the clock was set back, so that a checkpoint is later than the one
// after it, the two may be of different days whatever their times say: the
// one before stays too, besides the n, as long as the rule reaches so far.
func Daily(n int, loc *time.Location) Policy {
	return calendar("daily", "days", n, loc, layout("2006-01-02"))
}

// Weekly retains the newest checkpoint of each of the last n weeks that have
// one; see Daily. Weeks are those of ISO 8601: they begin on Monday.
func Weekly(n int, loc *time.Location) Policy {
	return calendar("weekly", "weeks", n, loc, func(t time.Time) (string, string) {
		year, week := t.ISOWeek()
		name := fmt.Sprintf("%04d-W%02d", year, week)
		return name, name
	})
}

// Monthly retains the newest checkpoint of each of the last n months that have
// one; see Daily.
func Monthly(n int, loc *time.Location) Policy {
	return calendar("monthly", "months", n, loc, layout("2006-01"))
}

// Yearly retains the newest checkpoint of each of the last n years that have
// one; see Daily.
func Yearly(n int, loc *time.Location) Policy {
	return calendar("yearly", "years", n, loc, layout("2006"))
}

func layout(l string) func(time.Time) (name, key string) {
	return func(t time.Time) (string, string) { return t.Format(l), t.Format(l) }
}

// calendar is one of the rules above. period returns a period's name for
// people, and what tells it from all others.
func calendar(rule, periods string, n int, loc *time.Location, period func(time.Time) (name, key string)) Policy {
	if loc == nil {
		loc = time.UTC
	}
	return each(func() func([]Checkpoint, int) Verdict {
		left, last := n, ""
		var newer *Checkpoint // judged before, and not rejected
		return func(list []Checkpoint, i int) Verdict {
			if list[i].Rejected != "" {
				return remove(isRejected)
			}
			name, key := period(list[i].Time.In(loc))
			back := newer != nil && list[i].Time.After(newer.Time)
			newer = &list[i]
			switch {
			case left == 0 && n == 0:
				return remove(rule + ": none is kept")
			case key == last && !back:
				return remove(fmt.Sprintf("%s: not the newest of %s", rule, name))
			case left == 0:
				return remove(fmt.Sprintf("%s: older than the latest %d %s", rule, n, periods))
			case back:
				last = key
				return retain(rule + ": the last before the clock went back")
			}
			last = key
			left--
			return retain(fmt.Sprintf("%s: the newest of %s", rule, name))
		}
	})
}
