package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// Every fault is told to somebody: it comes back from the call, or the call has
// succeeded all the same and one of these says why that may be.

// onlyLogged are the warnings of what goes on without what has failed.
var onlyLogged = map[string]string{
	"surplus checkpoints stay until the next save":                       "a sweep: hooks are told, the next save tries again, and Close returns what is left undone",
	"recovery files stay until the next save":                            "the new checkpoint is published: the next writer settles it",
	"leftovers of an earlier writer stay":                                "nobody takes them for a checkpoint, and the next opening tries again",
	"the receipt is not believed, the checkpoint is restored without it": "index and data have checksums of their own",
	"leases count as held because the time there is not known":           "nothing is removed that somebody may be reading; the next sweep asks again",
	"leases of readers that died stay":                                   "they have run out, and bind nobody",
	"data files of an incomplete checkpoint stay":                        "no index names them",
	"files of a restored checkpoint could not be closed":                 "everything was read and verified, and the objects have their values",
	"a data file cannot be linked, and is written again":                 "the checkpoint is the same without",
	"the next save writes everything: this one's files cannot be listed": "this one is whole and durable",
	"receipt cannot be read":                                             "what is known of it holds until the next save looks again",
}

// swallowed are the operations whose failure nobody is told of, as "operation
// after the one before it", some with what the system said.
var swallowed = map[string]string{
	"fstat *.ckpt.lock-* after write *.ckpt.lock-*": "looking for old temporary files: the next who locks does it",
	"readdir * after fstat *.ckpt.lock-*":           "the same",
	"fstat *temp after create *temp":                "the same, in a directory below",
	"readdir * after fstat *temp":                   "the same",
	"unlink *temp after readdir *":                  "the same",
	"stat * after open *":                           "only for more words about a file that is missing",
	"stat * after stat *":                           "the same",
	"lstat * after stat *":                          "the same",
	"lstat .ckpt.leases after *":                    "whether a listing may begin below: it begins at the top then",
	"lstat .ckpt.writers after *":                   "the same",
	"lstat .ckpt.quarantine after *":                "the same",
	"lstat * after readdir *":                       "the same",
	"syncdir * after stat * (permission denied)":    "who may not read the directory above has not made this one",
	"stat . after lstat *":                          "the same",
	"lstat * after lstat *":                         "the same",
	"stat * after unlink *":                         "only for more words about a file that is gone",
	"write *.ckpt.lock-* after truncate *":          "who holds the lock is only for the others' error, and a full disk has no room for it",
	"unlink *shared after rename shared *":          "its other name is published; this one goes with old temporary files",
	"rename shared * after * (permission denied)":   "the name is given by a link instead, as Windows allows it",
	"unlink a lease on ckpt-1 after *":              "Release tries it again",
}

// excuses are those that were needed, of all runs: one that never is says
// something that is not so.
type excuses struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (e *excuses) used(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen[what] = true
}

func (e *excuses) check(t *testing.T) {
	for _, list := range []map[string]string{onlyLogged, swallowed} {
		for what, why := range list {
			if !e.seen[what] {
				t.Errorf("%q (%s) is never needed as an excuse", what, why)
			}
		}
	}
}

// checkTold wants an error with its sentence, or an excuse.
func (r *faultRun) checkTold() {
	r.t.Helper()
	switch {
	case r.err != nil && errors.Is(r.err, r.errno()):
		r.checkSentence()
	case r.err != nil:
		r.errorf("the error is %v, want one that is %v", r.err, r.errno())
	case r.logged():
		r.checkLogged()
	default:
		r.checkSwallowed()
	}
}

// checkSentence wants the file, and none of our own temporary ones.
func (r *faultRun) checkSentence() {
	r.t.Helper()
	var pe *fs.PathError
	var le *os.LinkError
	if !errors.As(r.err, &pe) && !errors.As(r.err, &le) {
		r.errorf("the error %v has no *fs.PathError", r.err)
	}
	text := r.err.Error()
	if strings.Contains(text, ".ckpt.tmp-") || !strings.Contains(text, "/train") {
		r.errorf("the error %v names no file, or a temporary one", r.err)
	}
	if isDamage(r.err) {
		r.errorf("the error %v passes for damage", r.err)
	}
}

// checkLogged wants each line that tells of the fault to be one of those that
// may.
func (r *faultRun) checkLogged() {
	r.t.Helper()
	for line := range strings.Lines(r.log.String()) {
		if !strings.Contains(line, r.errno().Error()) {
			continue
		}
		_, msg, _ := strings.Cut(line, `msg="`)
		msg, _, _ = strings.Cut(msg, `"`)
		if onlyLogged[msg] == "" || !strings.Contains(line, "level=WARN") {
			r.errorf("is only logged: %s", line)
		}
		r.excuses.used(msg)
		if strings.HasPrefix(msg, "surplus") && !slices.ContainsFunc(r.hooked, func(err error) bool { return errors.Is(err, r.errno()) }) {
			r.errorf("hooks were told %v, want the error of the sweep", r.hooked)
		}
	}
}

func (r *faultRun) checkSwallowed() {
	r.t.Helper()
	what := r.sprungAfter()
	for pattern := range swallowed {
		ok, err := path.Match(pattern, what)
		also, err2 := path.Match(pattern, fmt.Sprintf("%s (%v)", what, r.errno()))
		if err != nil || err2 != nil {
			r.t.Fatal(err, err2)
		}
		if ok || also {
			r.excuses.used(pattern)
			return
		}
	}
	r.errorf("nobody was told: %s", what)
}

// sprungAfter names the operation that failed and the one before it, without
// random names.
func (r *faultRun) sprungAfter() string {
	i := r.trap.hit
	if i == 0 {
		return kindOfOp(r.trap.ops[i]) + " at first"
	}
	return kindOfOp(r.trap.ops[i]) + " after " + kindOfOp(r.trap.ops[i-1])
}

func kindOfOp(op vfstest.Op) string {
	p := op.Path
	if op.To != "" {
		p = op.To
	}
	name, err := filepath.Rel(faultRoot, p)
	if err != nil {
		name = p
	}
	verb := op.Verb
	switch shared := ".ckpt.tmp-shared-"; {
	case strings.HasPrefix(path.Base(name), shared):
		name = path.Join(path.Dir(name), "shared")
	case strings.HasPrefix(path.Base(op.Path), shared):
		verb += " shared"
	}
	if strings.HasPrefix(path.Base(name), ".ckpt.tmp-") {
		name = path.Join(path.Dir(name), "temp")
	}
	if p, ok := leased(name); ok {
		name = "a lease on " + p
	}
	return verb + " " + strings.ReplaceAll(name, "/", ":")
}
