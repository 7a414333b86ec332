package checkpoint

import (
	"runtime/debug"
	"testing"
)

func TestTheRevisionIsTheOneTheProgramWasBuiltFrom(t *testing.T) {
	settings := []debug.BuildSetting{
		{Key: "-buildmode", Value: "exe"},
		{Key: "vcs", Value: "git"},
		{Key: "vcs.revision", Value: "c0ffee"},
		{Key: "vcs.modified", Value: "true"},
	}
	if got, want := revisionIn(settings), (Revision{"c0ffee", true}); got != want {
		t.Errorf("revisionIn(%v) = %v, want %v", settings, got, want)
	}
	settings[3].Value = "false"
	if got, want := revisionIn(settings), (Revision{Commit: "c0ffee"}); got != want {
		t.Errorf("revisionIn(%v) = %v, want %v", settings, got, want)
	}
	if got := revisionIn(nil); got != (Revision{}) {
		t.Errorf("revisionIn(nil) = %v, want none", got)
	}
}

func TestAReceiptIsStampedOnceOnly(t *testing.T) {
	built := BuildRevision() // of go test: none
	for _, c := range []struct{ writer, want string }{
		{WriterManager, "told"}, {WriterSave, built.Commit}, {WriterWrite, built.Commit},
	} {
		r := Receipt{Writer: c.writer, Commit: "told"}
		if r.stamp(); r.Commit != c.want {
			t.Errorf("the receipt of a %s names commit %q, want %q", c.writer, r.Commit, c.want)
		}
	}
}
