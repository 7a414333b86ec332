package cli

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestWhatATrainingRemovesIsNotVerified(t *testing.T) {
	root := t.TempDir()
	c := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewScalar("v", int64(1))}, nil)
	for range 2 {
		if _, err := c.Save(t.Context(), local.Dir(root), "ckpt"); err != nil {
			t.Fatal(err)
		}
	}
	listed, failed := findTargets(t.Context(), []string{root})
	named, _ := findTargets(t.Context(), []string{root + "/ckpt-1"})
	if err := checkpoint.Remove(t.Context(), local.Dir(root), "ckpt-1"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		targets    []target
		exit       int
		out, notes string
	}{
		{listed, exitOK, "ok\t" + root + "/ckpt-2\t", "ckpt: note: " + root + "/ckpt-1 was removed meanwhile\n"},
		{named, exitNotFound, "missing\t" + root + "/ckpt-1\t", "ckpt: " + root + "/ckpt-1: no such checkpoint or directory\nhint: " + root + " has ckpt-2\n"},
	} {
		var out, notes strings.Builder
		a := &app{out: bufio.NewWriter(&out), stderr: &notes, now: time.Now}
		if got := exitCode(a.verifyAll(t.Context(), test.targets, failed, verifyOptions{})); got != test.exit {
			t.Errorf("verify exits with %d, want %d", got, test.exit)
		}
		if !strings.HasPrefix(out.String(), test.out) || notes.String() != test.notes {
			t.Errorf("verify prints %q and %q, want %q and %q", out.String(), notes.String(), test.out, test.notes)
		}
	}
}
