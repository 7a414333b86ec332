package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestProgressSaysWhatIsLeft(t *testing.T) {
	begun := time.Unix(1000, 0)
	p := &progress{total: 4e9, begun: begun, now: func() time.Time { return begun.Add(2 * time.Second) }}
	p.on("run/ckpt-7\x1b")
	if got, want := p.line(), `run/ckpt-7\x1b  0 B of 4.0 GB`; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	p.done.Store(1e9)
	if got, want := p.line(), `run/ckpt-7\x1b  1.0 GB of 4.0 GB  500 MB/s  6s left`; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	p.done.Store(5e9)
	if got, want := p.line(), `run/ckpt-7\x1b  5.0 GB of 4.0 GB  2.5 GB/s`; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
}

// terminal is a writer for several goroutines.
type terminal struct {
	mu   sync.Mutex
	text strings.Builder
	seen chan struct{} // closed at the first line of progress
}

func (w *terminal) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text.Len() == 0 {
		close(w.seen)
	}
	return w.text.Write(b)
}

func TestProgressGivesWayToWhatIsPrinted(t *testing.T) {
	w := &terminal{seen: make(chan struct{})}
	a := &app{stderr: w, errs: screen{tty: true}, now: time.Now}
	p := a.startProgress(100, false)
	<-w.seen
	p.aside(func() { _, _ = w.Write([]byte("a problem\n")) })
	p.close()
	got := w.text.String()
	before, _, found := strings.Cut(got, "a problem\n")
	if !found || !strings.HasSuffix(before, eraseLine) || !strings.HasPrefix(before, eraseLine+"0 B of 100 B") {
		t.Errorf("on the terminal: %q, want the line, erased, then the problem", got)
	}
	if last := strings.LastIndex(got, eraseLine); strings.TrimSuffix(got[last:], eraseLine) != "" && !strings.HasSuffix(got, "a problem\n") {
		t.Errorf("on the terminal: %q, want no line left at the end", got)
	}
}

func TestThereIsNoProgressInAPipe(t *testing.T) {
	var w strings.Builder
	a := &app{stderr: &w, now: time.Now}
	p := a.startProgress(100, false)
	p.on("x")
	p.aside(func() {})
	p.close()
	if w.Len() > 0 {
		t.Errorf("printed %q, want nothing", &w)
	}
}

func TestProgressCountsWhatIsRead(t *testing.T) {
	p, err := locate("../../format/tensorbundle/testdata/tf/slices")
	if err != nil {
		t.Fatal(err)
	}
	var done progress
	p.dir = countingDir{p.dir, func(_ string, n int) { done.done.Add(int64(n)) }}
	err = p.with(t.Context(), func(r *opened) error { return r.Verify(t.Context(), nil) })
	info, stat := os.Stat("../../format/tensorbundle/testdata/tf/slices.data-00000-of-00001")
	if err != nil || stat != nil || done.done.Load() < info.Size() {
		t.Errorf("counted %d bytes, %v, want those of the data file or more", done.done.Load(), err)
	}
}

func TestALineOfProgressIsErasedOnce(t *testing.T) {
	var w strings.Builder
	p := &progress{w: &w, now: time.Now, total: 1}
	p.draw()
	p.aside(func() {})
	p.aside(func() {})
	if got := w.String(); !strings.HasSuffix(got, "0 B of 1 B"+eraseLine) {
		t.Errorf("on the terminal: %q, want the line, erased once", got)
	}
}

func TestNamesThatActOnATerminalAreNotCompleted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"evil\x1b[2J.index", "good.index"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := new(app).completePath(nil, nil, dir+"/")
	if want := []string{dir + "/good"}; !slices.Equal(got, want) {
		t.Errorf("completions = %q, want %q", got, want)
	}
}
