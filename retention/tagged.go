package retention

import (
	"slices"
	"strings"
)

// Tagged retains the checkpoints that have one of the tags, and removes the
// others.
func Tagged(tags ...string) Policy {
	return each(func() func([]Checkpoint, int) Verdict {
		return func(list []Checkpoint, i int) Verdict {
			var has []string
			for _, tag := range tags {
				if slices.Contains(list[i].Tags, tag) {
					has = append(has, tag)
				}
			}
			if len(has) == 0 {
				return remove("not tagged " + strings.Join(tags, " or "))
			}
			return retain("tagged " + strings.Join(has, " and "))
		}
	})
}
