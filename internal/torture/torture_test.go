package torture_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
)

func TestTimesIsLongWhenAsked(t *testing.T) {
	t.Setenv(torture.Env, "")
	if got := torture.Times(2, 300); got != 2 {
		t.Errorf("Times(2, 300) = %d, want 2", got)
	}
	t.Setenv(torture.Env, "1")
	if got := torture.Times(2, 300); got != 300 {
		t.Errorf("Times(2, 300) = %d under torture, want 300", got)
	}
}

func TestThinIsAStepUnderTheRaceDetectorAlone(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build info")
	}
	want := 1
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		want = 7
	}
	if got := torture.Thin(7); got != want {
		t.Errorf("Thin(7) = %d, want %d", got, want)
	}
}

func TestCountsAreAppended(t *testing.T) {
	counts := filepath.Join(t.TempDir(), "counts")
	t.Setenv(torture.CountsEnv, counts)
	torture.Count(t, "crash states", 7)
	torture.Count(t, "kills", 2)
	got, err := os.ReadFile(counts)
	want := "7\tcrash states\tTestCountsAreAppended\n2\tkills\tTestCountsAreAppended\n"
	if err != nil || string(got) != want {
		t.Errorf("counts = %q, %v, want %q", got, err, want)
	}
}
