package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// When the line of progress appears and how often it changes. Most commands
// are done before the first.
const (
	progressAfter = 500 * time.Millisecond
	progressEvery = 200 * time.Millisecond
)

// progress draws one line about how much has been read, on a terminal.
type progress struct {
	w     io.Writer
	now   func() time.Time
	begun time.Time
	total int64
	done  atomic.Int64
	what  atomic.Pointer[string]
	mu    sync.Mutex // of what is on the terminal
	drawn bool
	stop  chan struct{}
	ended chan struct{}
}

// startProgress begins to draw on standard error if that is a terminal; its
// methods do nothing otherwise. total is how many bytes will be read, 0 if
// nobody knows.
func (a *app) startProgress(total int64, quiet bool) *progress {
	p := &progress{w: a.stderr, now: a.now, begun: a.now(), total: total}
	if quiet || !a.errs.tty {
		return p
	}
	p.stop, p.ended = make(chan struct{}), make(chan struct{})
	go p.run()
	return p
}

func (p *progress) run() {
	defer close(p.ended)
	first, every := time.NewTimer(progressAfter), time.NewTicker(progressEvery)
	defer first.Stop()
	defer every.Stop()
	select {
	case <-p.stop:
		return
	case <-first.C:
	}
	for {
		p.draw()
		select {
		case <-p.stop:
			p.aside(func() {})
			return
		case <-every.C:
		}
	}
}

// eraseLine empties a terminal's line and goes back to its beginning.
const eraseLine = "\r\x1b[K"

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.w, eraseLine+p.line())
	p.drawn = true
}

// aside takes the line away and calls f, which prints something else; the
// line comes back by itself.
func (p *progress) aside(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.w, eraseLine)
		p.drawn = false
	}
	f()
}

// line says what is read, how far that is, how fast, and how long it takes.
func (p *progress) line() string {
	what, done := "", p.done.Load()
	if s := p.what.Load(); s != nil {
		what = printable(*s) + "  "
	}
	line := fmt.Sprintf("%s%s of %s", what, humanSize(done), humanSize(p.total))
	if p.total == 0 {
		line = fmt.Sprintf("%s%s read", what, humanSize(done))
	}
	seconds := p.now().Sub(p.begun).Seconds()
	if seconds <= 0 || done <= 0 {
		return line
	}
	rate := float64(done) / seconds
	line += fmt.Sprintf("  %s/s", humanSize(int64(rate)))
	if left := p.total - done; left > 0 {
		line += "  " + time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second).String() + " left"
	}
	return line
}

// on says what is read from now on.
func (p *progress) on(what string) { p.what.Store(&what) }

// read notes that n bytes of what were read.
func (p *progress) read(what string, n int) {
	p.on(what)
	p.done.Add(int64(n))
}

// close takes the line away for good. A second one does nothing.
func (p *progress) close() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.ended
	p.stop = nil
}
