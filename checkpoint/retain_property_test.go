package checkpoint

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// history drives a manager, and beside it a list that is judged after every
// save, as plainly as that can be said.
type history struct {
	*rapid.T
	dir    storage.Dir
	c      *Checkpoint
	now    *clock
	policy retention.Policy
	m      *Manager
	list   []retention.Checkpoint
	listed []string
}

func (h *history) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// restart is another process with the same options.
func (h *history) restart() {
	if h.m != nil {
		h.ok(h.m.Close(background()))
	}
	m, err := NewManager(background(), h.c, h.dir, &ManagerOptions{Retention: h.policy, Now: h.now.now})
	h.ok(err)
	h.m = m
}

func (h *history) save() {
	h.now.add(time.Duration(rapid.IntRange(-1, 40).Draw(h.T, "hours")) * time.Hour)
	step := int64(len(h.list))
	o := &SaveOptions{Step: &step, Metrics: map[string]float64{"loss": float64(rapid.IntRange(0, 5).Draw(h.T, "loss"))}}
	o.Pin = rapid.SampledFrom([]string{"", "", "", "pin"}).Draw(h.T, "pinned")
	o.Tags = rapid.SampledFrom([][]string{nil, {"a"}}).Draw(h.T, "tags")
	path, err := h.m.Save(background(), o)
	h.ok(err)
	saved := receiptAt(h, h.dir, path).checkpoint(path, h.now.now())
	saved.Verified = true
	h.list = append(h.list, saved)
	var left []retention.Checkpoint
	h.listed = nil
	for i, v := range retention.Judge(h.policy, h.list) {
		if v.Fate != retention.Remove {
			left = append(left, h.list[i])
		}
		if v.Fate == retention.Keep {
			h.listed = append(h.listed, h.list[i].Path)
		}
	}
	h.list = left
}

// mark pins or unpins one, by the manager or behind its back.
func (h *history) mark() {
	if len(h.list) == 0 {
		return
	}
	c := &h.list[rapid.IntRange(0, len(h.list)-1).Draw(h.T, "which")]
	switch rapid.SampledFrom([]string{"pin", "pin behind its back", "unpin"}).Draw(h.T, "mark") {
	case "pin":
		h.ok(h.m.Pin(background(), c.Path, "later"))
		c.Pinned = "later"
	case "pin behind its back":
		h.ok(Pin(background(), h.dir, c.Path, "later"))
		c.Pinned = "later"
	case "unpin":
		h.ok(h.m.Unpin(background(), c.Path))
		c.Pinned = ""
	}
}

func (h *history) check() {
	var want []string
	for _, c := range h.list {
		want = append(want, c.Path)
	}
	if got := h.m.Checkpoints(); !slices.Equal(got, want) {
		h.Fatalf("Checkpoints() = %q, want %q", got, want)
	}
	var disk []string
	for info, err := range h.dir.List(background(), "") {
		h.ok(err)
		if f, ok := filename.Parse(info.Name); ok && f.Part == filename.Index {
			disk = append(disk, f.Path)
		}
	}
	shelf.SortByAge(disk, nil)
	if !slices.Equal(disk, want) {
		h.Fatalf("on disk are %q, want %q", disk, want)
	}
	if len(want) == 0 {
		return
	}
	s, err := ReadState(background(), h.dir)
	h.ok(err)
	if !slices.Equal(s.AllModelCheckpointPaths, h.listed) {
		h.Fatalf("listed are %q, want %q", s.AllModelCheckpointPaths, h.listed)
	}
}

func receiptAt(h *history, dir storage.Dir, path string) Receipt {
	r, err := ReadReceipt(background(), dir, path)
	h.ok(err)
	return r
}

func TestAManagerDoesWhatJudgeSays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := &history{T: r, dir: mem.Dir(), now: at(1e6), policy: somePolicy(r, 2)}
		h.c, _ = one(1)
		h.restart()
		for range rapid.IntRange(1, 25).Draw(r, "operations") {
			switch rapid.IntRange(0, 9).Draw(r, "operation") {
			case 0:
				h.restart()
			case 1, 2:
				h.mark()
			default:
				h.save()
			}
			h.check()
		}
		h.ok(h.m.Close(background()))
	})
}
