package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// entry is a save as its victim announced it.
type entry struct {
	serial, digest uint64
	loss           int
	keep, pinned   bool
	number         int64
}

// history is the life of one directory: victim after victim, and between them
// the record of what they acknowledged, which is nowhere in the directory.
type history struct {
	program, root, name string
	rule                rule
	random              *rand.Rand
	dir                 storage.Dir

	announced map[uint64]*entry // by serial
	serial    uint64            // the highest announced
	acked     map[string]*entry // what stands, by path
	used      map[string]bool   // paths that were ever acknowledged
	done      map[uint64]bool   // serials of all that were acknowledged
	newest    uint64            // highest serial that was acknowledged
	rivals    []*entry          // that this life has announced, or that there were before
	over      map[string]uint64 // path to the highest serial that was announced for it
	unpinned  int               // pins that were taken away since the last save, whose sweep comes with the next
	disk      map[string]uint64 // serial of what there was after the last victim
	canaries  map[string]string
	said      []string
	tally     tally
}

func newHistory(program, root, rule string, random *rand.Rand) *history {
	return &history{program: program, root: root, name: rule, rule: rules[rule], random: random, dir: storage.ReadOnly(local.Dir(root)),
		announced: map[uint64]*entry{}, acked: map[string]*entry{}, used: map[string]bool{}, done: map[uint64]bool{}, over: map[string]uint64{}, tally: tally{after: map[string]int{}}}
}

// run kills so many victims, and lets one more end as it likes.
func (h *history) run(kills int) error {
	if err := h.plant(); err != nil {
		return err
	}
	for range kills {
		when := draw(h.random)
		v, err := h.begin(forLong)
		if err == nil {
			h.said = append(h.said, "kill "+when.String())
			err = h.died(v, v.kill(when))
		}
		if err != nil {
			return err
		}
		h.tally.kills++
		h.tally.after[v.last]++
	}
	v, err := h.begin(2)
	if err != nil {
		return err
	}
	err = v.listen(func(int, int, bool) {})
	if waited := v.cmd.Wait(); err == nil && waited != nil {
		err = fmt.Errorf("the last one: %w\n%s", waited, v.errs.String())
	}
	if err := h.died(v, err); err != nil {
		return err
	}
	return h.clean()
}

// forLong are more sessions than a victim lives to have.
const forLong = 1 << 30

func (h *history) begin(sessions int) (*victim, error) {
	h.rivals = nil
	for _, serial := range h.disk {
		h.rivals = append(h.rivals, h.announced[serial])
	}
	return begin(h.program, h.root, h.name, h.random.Uint64(), h.serial, sessions)
}

// died checks what a victim has left.
func (h *history) died(v *victim, err error) error {
	acks := h.tally.acks
	for _, line := range v.lines {
		if err := h.hear(line); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return h.inspect(h.tally.acks > acks)
}

// journal is what was said last.
func (h *history) journal() string { return strings.Join(h.said[max(0, len(h.said)-150):], "\n") }

// hear enters a line into the record.
func (h *history) hear(line string) error {
	h.said = append(h.said, line)
	what, rest, _ := strings.Cut(line, " ")
	switch what {
	case "restored":
		return h.heardRestored(rest)
	case "save":
		e := new(entry)
		if _, err := fmt.Sscan(rest, &e.serial, &e.digest, &e.loss, &e.keep, &e.pinned, &e.number); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		h.announced[e.serial], h.serial, h.rivals = e, e.serial, append(h.rivals, e)
		if e.number >= 0 {
			h.over[fmt.Sprintf("ckpt-%d", e.number)] = e.serial
		}
	case "done":
		return h.heardDone(rest)
	case "pinned":
		return h.heardPinned(rest)
	case "unpin":
		h.unpinned++
		if e := h.acked[rest]; e != nil {
			e.pinned = false
		}
	}
	return nil
}

// heardRestored: a victim goes on from the newest that was acknowledged, or
// from a newer one that is whole.
func (h *history) heardRestored(rest string) error {
	var path string
	var serial, digest uint64
	if _, err := fmt.Sscan(rest, &path, &serial, &digest); err != nil {
		return fmt.Errorf("restored %q: %w", rest, err)
	}
	if serial == 0 && h.newest == 0 && len(h.disk) == 0 {
		return nil
	}
	if e := h.announced[serial]; e == nil || e.digest != digest || serial < h.newest {
		return fmt.Errorf("restored %s, digest %d, announced %+v; want save %d or a newer one", rest, digest, e, h.newest)
	}
	return nil
}

func (h *history) heardDone(rest string) error {
	var path string
	var serial uint64
	if _, err := fmt.Sscan(rest, &serial, &path); err != nil {
		return fmt.Errorf("done %q: %w", rest, err)
	}
	e := h.announced[serial]
	if e.number < 0 && h.used[path] {
		return fmt.Errorf("%s was given to save %d and was another's", path, serial)
	}
	h.used[path], h.done[serial] = true, true
	h.over[path] = max(h.over[path], serial)
	h.newest = max(h.newest, serial)
	h.unpinned = 0
	if before := h.acked[path]; before == nil || before.serial < serial {
		h.acked[path] = e
	}
	h.tally.acks++
	return nil
}

// heardPinned: a pin is a promise about what is there.
func (h *history) heardPinned(path string) error {
	e := h.acked[path]
	if e == nil {
		if e = h.announced[h.disk[path]]; e == nil {
			return fmt.Errorf("%s was pinned and never seen", path)
		}
		h.acked[path] = e
	}
	e.pinned = true
	return nil
}

// foreign are files of others, with names like ours. Of the second the
// directory is too.
var foreign = []string{"notes.txt", "deeper/ckpt-1.index", "ckpt-3.index.bak", "ckpt-3.data-00000-of-00001.bak", "model-1.index",
	"model-2.data-00000-of-00001", "ckpt.index", "ckpt-best.h5", ".hidden", "ckpt-1", "checkpoint.old", "xckpt-2.receipt.json"}

// plant puts them there, older than anything that a sweep takes for new.
func (h *history) plant() error {
	h.canaries = make(map[string]string)
	for _, name := range foreign {
		at := filepath.Join(h.root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(at, []byte("of another: "+name), 0o666); err != nil {
			return err
		}
		if err := age(at); err != nil {
			return err
		}
		look, err := lookAt(at)
		if err != nil {
			return err
		}
		h.canaries[at] = look
	}
	return nil
}

// lookAt returns what tells whether a file was touched.
func lookAt(at string) (string, error) {
	text, err := os.ReadFile(at)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(at)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q, %v, %v", text, info.Mode(), info.ModTime()), nil
}

// age makes a file look as if nobody had written to it for two hours.
func age(at string) error {
	then := time.Now().Add(-2 * time.Hour)
	return os.Chtimes(at, then, then)
}
