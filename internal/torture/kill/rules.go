package main

import (
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/retention"
)

// keepTag is the tag of saves that the rule "tagged" retains.
const keepTag = "keep"

// rule is what stays in a directory, in a form that the test can check without
// package retention: the latest saves, the one with the lowest loss, and those
// that have the tag.
type rule struct {
	latest       int
	best, tagged bool
}

var rules = map[string]rule{
	"latest1": {latest: 1},
	"latest3": {latest: 3},
	"best":    {latest: 2, best: true},
	"tagged":  {latest: 1, tagged: true},
}

func (r rule) set(o *checkpoint.ManagerOptions) {
	policies := []retention.Policy{retention.Latest(r.latest)}
	if r.best {
		policies = append(policies, retention.Best(1, retention.Lowest("loss")))
	}
	if r.tagged {
		policies = append(policies, retention.Tagged(keepTag))
	}
	if len(policies) == 1 {
		o.MaxToKeep = r.latest
		return
	}
	o.Retention = retention.Any(policies...)
}
