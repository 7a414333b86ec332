package main

import (
	"fmt"
	"os"
	"time"
)

// progress prints how the training gets on: on a terminal in one line that
// changes, elsewhere a line each 100 steps.
type progress struct {
	steps    int64
	terminal bool

	shown int64 // step of the last line
	at    time.Time
}

func newProgress(steps int64) *progress {
	info, err := os.Stdout.Stat()
	return &progress{steps: steps, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// trained is told of each step.
func (p *progress) trained(step int64, loss float32) {
	if p.at.IsZero() { // the first step compiles the network: begin to count after it
		p.shown, p.at = step, time.Now()
		return
	}
	interval, end := int64(100), "\n"
	if p.terminal {
		interval, end = 10, "\r"
	}
	if step%interval != 0 && step != p.steps {
		return
	}
	speed := float64((step-p.shown)*batchSize) / time.Since(p.at).Seconds()
	fmt.Printf("step %d/%d  loss %.4f  %.0f images/s%s%s", step, p.steps, loss, speed, p.blank("    "), end)
	p.shown, p.at = step, time.Now()
}

// saved is told of each checkpoint.
func (p *progress) saved(step int64, path string) {
	fmt.Printf("step %d/%d  saved %s%s\n", step, p.steps, path, p.blank("                    "))
}

// blank returns what hides the rest of a longer line before, on a terminal.
func (p *progress) blank(s string) string {
	if p.terminal {
		return s
	}
	return ""
}
