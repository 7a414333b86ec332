package cli

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/tensor"
)

func TestAgesHaveOneUnit(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{
		{0, "0s"}, {-500 * time.Millisecond, "0s"}, {59 * time.Second, "59s"}, {time.Minute, "1m"},
		{59*time.Minute + 59*time.Second, "59m"}, {time.Hour, "1h"}, {47 * time.Hour, "47h"},
		{48 * time.Hour, "2d"}, {400 * 24 * time.Hour, "400d"}, {-time.Hour, "in the future"},
	} {
		if got := age(now.Add(-c.ago), now); got != c.want {
			t.Errorf("age of %v = %q, want %q", c.ago, got, c.want)
		}
	}
	if got := age(time.Time{}, now); got != "-" {
		t.Errorf("age of no time = %q, want -", got)
	}
	if got, want := stamp(now).plain, "2026-05-04T12:00:00Z"; got != want {
		t.Errorf("stamp(%v) in a pipe = %q, want %q", now, got, want)
	}
	if got := stamp(time.Time{}); got.text != "-" || got.plain != "" {
		t.Errorf("stamp of no time = %+v, want nothing", got)
	}
}

func TestCountsAgreeWithTheirNouns(t *testing.T) {
	for n, want := range map[int]string{0: "0 tensors", 1: "1 tensor", 1234567: "1,234,567 tensors"} {
		if got := count(n, "tensor"); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestVersionIsWhatTheBuildSays(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-05-04T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	v := versionOf(info)
	if v.Version != "v1.2.3" || v.Revision != "abc" || v.Time != "2026-05-04T12:00:00Z" || !v.Modified {
		t.Errorf("versionOf = %+v", v)
	}
	if v := versionOf(nil); v.Version != "(unknown)" {
		t.Errorf("versionOf(nil) = %+v, want an unknown version", v)
	}
}

func TestLargeArraysOfStringsAreShortened(t *testing.T) {
	elems := make([]string, 2000)
	for i := range elems {
		elems[i] = string(rune('a' + i%26))
	}
	for _, make := range []func(tensor.Shape, []string) (tensor.Tensor, error){tensor.FromStrings, tensor.FromVariants} {
		v, err := make(tensor.Shape{2000}, elems)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(t, arrayOf(v), false), `["a", "b", "c", ..., "v", "w", "x"]`+"\n"; got != want {
			t.Errorf("text = %q, want %q", got, want)
		}
	}
}
