package vfs

import "testing"

func TestAQuotaLeavesWhatIsNotUsed(t *testing.T) {
	disk := Space{Free: 1 << 20, Total: 1 << 30}
	for what, test := range map[string]struct {
		quota quota
		want  Space
	}{
		"none":                 {quota{}, disk},
		"used a little":        {quota{hard: 512, used: 12 << 10}, Space{500 << 10, 512 << 10}},
		"only a soft one":      {quota{soft: 512, used: 12 << 10}, Space{500 << 10, 512 << 10}},
		"the hard one decides": {quota{hard: 512, soft: 100, used: 0}, Space{512 << 10, 512 << 10}},
		"used up":              {quota{hard: 512, used: 600 << 10}, Space{0, 512 << 10}},
		"more than the disk":   {quota{hard: 1 << 40}, disk},
		"more than anything":   {quota{hard: 1 << 62}, disk},
	} {
		if got := disk.within(test.quota); got != test.want {
			t.Errorf("%s: within(%+v) = %+v, want %+v", what, test.quota, got, test.want)
		}
	}
}
