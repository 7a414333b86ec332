package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/torture"
)

// perDirectory is how many victims a directory sees.
const perDirectory = 50

// TestWhatWasAcknowledgedSurvivesSIGKILL kills processes that save and sweep,
// at random moments, one after another in the same directory. What the kernel
// was told survives them: this is about the order of what they do, not about
// flushes, which only a loss of power tells apart.
//
// Proves D2, D3, D4, D5, D6, D8, D9, D10, D11.
func TestWhatWasAcknowledgedSurvivesSIGKILL(t *testing.T) {
	program, begin := compile(t), time.Now()
	seed := uint64(begin.UnixNano())
	t.Logf("seed %d", seed)
	kills := torture.Times(500, 10000) / torture.Thin(10)
	var all tally
	var mu sync.Mutex
	const lanes = 4 // a victim waits for the disk most of the time
	var wait sync.WaitGroup
	names := slices.Sorted(maps.Keys(rules))
	for lane := range lanes {
		mine := kills / lanes
		if lane < kills%lanes {
			mine++
		}
		wait.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(lane)))
			for i := 0; mine > 0 && !t.Failed(); i++ {
				h := newHistory(program, t.TempDir(), names[(i+lane)%len(names)], random)
				err := h.run(min(mine, perDirectory))
				mu.Lock()
				all.add(h.tally)
				mu.Unlock()
				if mine -= perDirectory; err != nil {
					t.Errorf("%v\nrule %s, seed %d; the last victims said\n%s", err, h.name, seed, h.journal())
				}
			}
		})
	}
	wait.Wait()
	t.Logf("%v each; %v", time.Since(begin)/time.Duration(kills), &all)
	torture.Count(t, "kills", all.kills)
}

// compile builds the victim, without the race detector: it is not looked for
// races here, and starts in no time.
func compile(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kill")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// tally counts where victims died.
type tally struct {
	kills    int
	acks     int
	after    map[string]int // by the last thing that they said
	leftover int            // the most files of no checkpoint that one left
	temps    int            // the most temporary files that one left
}

func (a *tally) add(b tally) {
	a.kills += b.kills
	a.acks += b.acks
	a.leftover, a.temps = max(a.leftover, b.leftover), max(a.temps, b.temps)
	if a.after == nil {
		a.after = map[string]int{}
	}
	for what, n := range b.after {
		a.after[what] += n
	}
}

func (a *tally) String() string {
	var where []string
	for _, what := range slices.Sorted(maps.Keys(a.after)) {
		where = append(where, fmt.Sprintf("%s %d", what, a.after[what]))
	}
	return fmt.Sprintf("%d kills, %d saves acknowledged; died after %s; one left at most %d files of no checkpoint and %d temporary ones",
		a.kills, a.acks, strings.Join(where, ", "), a.leftover, a.temps)
}
