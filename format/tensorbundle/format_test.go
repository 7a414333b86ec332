package tensorbundle_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
)

func TestNamesAreTensorFlows(t *testing.T) {
	if got := tensorbundle.IndexName("dir/ckpt-7"); got != "dir/ckpt-7.index" {
		t.Errorf("IndexName = %s", got)
	}
	for _, c := range []struct {
		shard, shards int
		want          string
	}{{0, 1, "a.data-00000-of-00001"}, {12, 345, "a.data-00012-of-00345"}, {100000, 123456, "a.data-100000-of-123456"}} {
		got := tensorbundle.DataName("a", c.shard, c.shards)
		if got != c.want {
			t.Errorf("DataName(a, %d, %d) = %s, want %s", c.shard, c.shards, got, c.want)
		}
		prefix, shard, shards, ok := tensorbundle.ParseDataName(got)
		if prefix != "a" || shard != c.shard || shards != c.shards || !ok {
			t.Errorf("ParseDataName(%s) = %s, %d, %d, %v", got, prefix, shard, shards, ok)
		}
	}
}

func TestOnlyNamesOfDataFilesParse(t *testing.T) {
	for _, name := range []string{
		"", "a", "a.index", "a.data-0-of-1", "a.data-00000-of-00000", "a.data-00001-of-00001", "a.data-00000-of-00001.tempstate1",
		"a.data-000000-of-000001", "a.data-00000-of-99999999999", "a.data-0000x-of-00001",
	} {
		if prefix, shard, shards, ok := tensorbundle.ParseDataName(name); ok {
			t.Errorf("ParseDataName(%q) = %q, %d, %d", name, prefix, shard, shards)
		}
	}
	if prefix, _, _, ok := tensorbundle.ParseDataName("a.data-00000-of-00001.data-00000-of-00001"); !ok || prefix != "a.data-00000-of-00001" {
		t.Errorf("a prefix that looks like a data file: %q, %v", prefix, ok)
	}
}
