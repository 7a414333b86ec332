package filename

import "testing"

func TestStateEntriesStayInTheDirectory(t *testing.T) {
	for _, test := range []struct {
		entry, path  string
		absolute, ok bool
	}{
		{"ckpt-1", "ckpt-1", false, true},
		{"./ckpt-1", "ckpt-1", false, true},
		{"a//b/../ckpt-1", "a/ckpt-1", false, true},
		{"../ckpt-1", "", false, false},
		{"a/../../ckpt-1", "", false, false},
		{".", "", false, false},
		{"..", "", false, false},
		{"", "", false, false},
		{"a\x00b", "", false, false},
		{"/tmp/run/ckpt-1", "ckpt-1", true, true},
		{"/", "", true, false},
		{"/tmp/..", "", true, false},
		{`C:\run\ckpt-1`, "ckpt-1", true, true},
		{`\\host\run\ckpt-1`, "ckpt-1", true, true},
		{"gs://bucket/run/ckpt-1", "ckpt-1", true, true},
	} {
		path, absolute, ok := Local(test.entry)
		if ok != test.ok || absolute != test.absolute || ok && path != test.path {
			t.Errorf("Local(%q) = %q, %v, %v, want %q, %v, %v", test.entry, path, absolute, ok, test.path, test.absolute, test.ok)
		}
	}
}

func TestNumbersAreWrittenInOneWay(t *testing.T) {
	for p, want := range map[string]int64{"ckpt-7": 7, "ckpt-0": 0, "a-b-12": 12, "ckpt-07": -1, "ckpt--7": 7, "ckpt": -1,
		"ckpt-": -1, "-3": 3, "ckpt-9223372036854775807": 9223372036854775807, "ckpt-9223372036854775808": -1, "ckpt-+7": -1} {
		if _, n, ok := SplitNumber(p); n != want || ok != (want >= 0) {
			t.Errorf("SplitNumber(%q) = %d, %v, want %d", p, n, ok, want)
		}
	}
}

func TestNamesAreTakenApart(t *testing.T) {
	for name, want := range map[string]Name{
		"ckpt-7.index":                        {Path: "ckpt-7", Part: Index},
		"a/ckpt-7.receipt.json":               {Path: "a/ckpt-7", Part: Receipt},
		"ckpt-7.data-00001-of-00002":          {Path: "ckpt-7", Part: Data, Shard: 1, Shards: 2},
		"ckpt-7.recovery.index":               {Path: "ckpt-7.recovery", Part: Index},
		"ckpt-7.recovery.data-00000-of-00001": {Path: "ckpt-7.recovery", Part: Data, Shards: 1},
		"ck*t[.index":                         {Path: "ck*t[", Part: Index},
		"ckpt-7.parity-00001-of-00002":        {Path: "ckpt-7", Part: Parity, Shard: 1, Shards: 2},
		"a/ckpt-7.parity-index":               {Path: "a/ckpt-7", Part: Parity},
	} {
		if got, ok := Parse(name); !ok || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", name, got, ok, want)
		}
	}
	for _, name := range []string{"", State, ".index", "a/.index", ".receipt.json", "ckpt-7", "ckpt-7.data-1-of-2", "ckpt-7.indexes", "ckpt-7.meta",
		".parity-index", "ckpt-7.parity-1-of-2", "ckpt-7.parity-", "ckpt-7.parity"} {
		if got, ok := Parse(name); ok {
			t.Errorf("Parse(%q) = %+v, want none", name, got)
		}
	}
}

func TestParityIsNamedAfterItsFile(t *testing.T) {
	for name, want := range map[string]string{"ckpt-7.index": "ckpt-7.parity-index", "a.data-/ckpt-7.data-00001-of-00002": "a.data-/ckpt-7.parity-00001-of-00002"} {
		if got := OfParity(name); got != want {
			t.Errorf("OfParity(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNumberOfGoesByTheWholeName(t *testing.T) {
	for p, want := range map[string]bool{"ckpt-7": true, "ckpt-ckpt-7": false, "a/ckpt-7": false, "ckpt": false, "ckpt-7.recovery": false} {
		if n, ok := NumberOf("ckpt", p); ok != want || ok && n != 7 {
			t.Errorf("NumberOf(%q, %q) = %d, %v, want 7, %v", "ckpt", p, n, ok, want)
		}
	}
}

func TestPathsThatMeanSomethingElseAreRefused(t *testing.T) {
	for _, p := range []string{"checkpoint", "a/checkpoint", "ckpt-7.recovery", "", "../ckpt", "/ckpt"} {
		if Check(p) == nil {
			t.Errorf("Check(%q) = nil, want an error", p)
		}
	}
	for _, p := range []string{"ckpt-7", "a/ckpt-7", "checkpoint-1", "recovery"} {
		if err := Check(p); err != nil {
			t.Errorf("Check(%q) = %v, want nil", p, err)
		}
	}
}

func TestOfDirectoryLeavesOutWhatIsBelowAndRecoverySets(t *testing.T) {
	for p, want := range map[string]bool{"ckpt-7": true, "a/ckpt-7": false, Recovery("ckpt-7"): false, Variables: false} {
		if got := OfDirectory(p); got != want {
			t.Errorf("OfDirectory(%q) = %v, want %v", p, got, want)
		}
	}
}

func TestV1ShardsAreCounted(t *testing.T) {
	for name, want := range map[string]string{"ckpt-7-00000-of-00002": "ckpt-7", "ckpt-7-?????-of-00002": "ckpt-7",
		"ckpt-7": "", "ckpt-7-0000x-of-00002": "", "-00000-of-00002": "", "ckpt-7-00000+of-00002": ""} {
		if got, ok := CutV1Shard(name); ok != (want != "") || ok && got != want {
			t.Errorf("CutV1Shard(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
	for want, names := range map[string][]string{
		"":                   {"a-00000-of-00002", "a-00001-of-00002"},
		"b-00000-of-00002":   {"b-00001-of-00002"},
		"c-1-00001-of-00002": {"c-1-00000-of-00002"},
	} {
		if got := MissingV1Shard(names); got != want {
			t.Errorf("MissingV1Shard(%q) = %q, want %q", names, got, want)
		}
	}
	for _, names := range [][]string{nil, {"ckpt-7"}} {
		if got := MissingV1Shard(names); got != "" {
			t.Errorf("MissingV1Shard(%q) = %q, want none", names, got)
		}
	}
}

func TestOnlyNamesWithoutAKnownMeaningMayBeV1(t *testing.T) {
	for name, want := range map[string]bool{"ckpt-7": true, "a/model": true, "ckpt-7-00000-of-00002": true,
		"ckpt-7.index": false, State: false, "ckpt-7.meta": false, "events.out.tfevents.1.host": false} {
		if got := MayBeV1(name); got != want {
			t.Errorf("MayBeV1(%q) = %v, want %v", name, got, want)
		}
	}
}
