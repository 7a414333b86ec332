package preemption

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"time"
)

// Notify announces the end, as a signal does: for programs that learn of it in
// their own way. It may be called by any goroutine.
func (h *CheckpointHandler) Notify() {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noticed == nil {
		h.noticed = &now
	}
}

// notice returns how long ago the end was announced to this worker.
func (h *CheckpointHandler) notice() (ago time.Duration, noticed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noticed == nil {
		return 0, false
	}
	return time.Since(*h.noticed), true
}

// watch begins to wait for the announcement.
func (h *CheckpointHandler) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	if len(h.o.Signals) > 0 {
		// Others who have asked for these signals get them as well.
		c := make(chan os.Signal, 1)
		signal.Notify(c, h.o.Signals...)
		all.Go(func() { h.awaitSignal(ctx, c) })
	}
	if h.o.Watcher != nil {
		all.Go(func() { h.poll(ctx) })
	}
	h.stop = func() {
		cancel()
		all.Wait()
	}
}

func (h *CheckpointHandler) awaitSignal(ctx context.Context, c chan os.Signal) {
	defer signal.Stop(c)
	for {
		select {
		case s := <-c:
			h.o.Logger.Warn("the end is announced", "signal", s)
			h.Notify()
		case <-ctx.Done():
			return
		}
	}
}

func (h *CheckpointHandler) poll(ctx context.Context) {
	ticker := time.NewTicker(h.o.PollInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if h.o.Watcher(ctx) {
			h.o.Logger.Warn("the end is announced by the watcher")
			h.Notify()
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}
