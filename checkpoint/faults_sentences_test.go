package checkpoint

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// TestSentencesOfFaults keeps what people read when the disk, and not the
// checkpoint, is the trouble.
//
// Proves D13.
func TestSentencesOfFaults(t *testing.T) {
	var b strings.Builder
	for _, test := range []struct {
		scenario string
		err      error
		verb, of string // the first such operation on a file whose name has of in it
	}{
		{"first save", syscall.ENOSPC, "mkdir", ""},
		{"first save", syscall.EROFS, "mkdir", ""},
		{"first save", syscall.EACCES, "create", "lock-checkpoint"},
		{"first save", syscall.EACCES, "create", ".ckpt.tmp-"},
		{"first save", syscall.EROFS, "create", ".ckpt.tmp-"},
		{"first save", syscall.EMFILE, "create", ".ckpt.tmp-"},
		{"first save", syscall.ENOSPC, "write", ".ckpt.tmp-"},
		{"first save", syscall.EDQUOT, "write", ".ckpt.tmp-"},
		{"first save", syscall.EIO, "write", ".ckpt.tmp-"},
		{"first save", syscall.EFBIG, "write", ".ckpt.tmp-"},
		{"first save", syscall.EIO, "sync", ".ckpt.tmp-"},
		{"first save", syscall.EDQUOT, "close", ".ckpt.tmp-"},
		{"first save", syscall.ESTALE, "rename", ".ckpt.tmp-"},
		{"first save", syscall.EIO, "syncdir", ""},
		{"save with a sweep", syscall.EROFS, "create", "lock-checkpoint"},
		{"save with a sweep", syscall.EIO, "read", "checkpoint"},
		{"save of a number again", syscall.ENOSPC, "link", "ckpt-2"},
		{"close with a sweep", syscall.EACCES, "unlink", "ckpt-1.index"},
		{"asynchronous save", syscall.ENOSPC, "write", ".ckpt.tmp-"},
		{"pin", syscall.EROFS, "create", "lock-removal"},
		{"prune", syscall.EROFS, "unlink", "ckpt-2"},
		{"lease", syscall.EROFS, "create", ".leases/.ckpt.tmp-"},
		{"restore", syscall.EIO, "read", "ckpt-2.data"},
		{"restore", syscall.ESTALE, "read", "ckpt-2.data"},
		{"restore", syscall.EACCES, "open", "ckpt-2.data"},
		{"restore", syscall.EMFILE, "open", "ckpt-2.index"},
		{"list and verify", syscall.EIO, "readdir", ""},
	} {
		such := func(op vfstest.Op) bool { return op.Verb == test.verb && strings.Contains(op.Path+op.To, test.of) }
		err := sentenceOf(t, test.scenario, fault{name: test.verb, err: test.err, can: such, later: such})
		fmt.Fprintf(&b, "# %s: %v at %s %s\n%s\n\n", test.scenario, test.err, test.verb, test.of, err)
	}
	golden.Equal(t, "faults.txt", byChance.ReplaceAll([]byte(b.String()), []byte("${1}N")))
}

// byChance is what differs from run to run.
var byChance = regexp.MustCompile(`(@|after )([A-Z2-7]{26}|[0-9]+)`)

func sentenceOf(t *testing.T, name string, f fault) string {
	t.Helper()
	for _, s := range faultScenarios {
		if s.name != name {
			continue
		}
		r, hit := s.made(t).run(f, 0)
		defer r.leave()
		if !hit || r.err == nil {
			t.Errorf("%s: no error, fault injected: %t", name, hit)
			return ""
		}
		return r.err.Error()
	}
	t.Fatalf("no scenario %q", name)
	return ""
}
