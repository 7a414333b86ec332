package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

// pair is ours and a peer, measured in turns.
type pair struct {
	bench        *bench
	layout       layout
	ours, theirs *side
}

// side is one of a pair.
type side struct {
	process *process
	saved   string // directory of what load reads
	// first is the peak of the first operation of each kind, whose buffers later
	// ones find there.
	first map[string]int64
}

func newSide(p *process) *side { return &side{process: p, first: map[string]int64{}} }

// sample is what a case took both in one round.
type sample struct {
	Layout string  `json:"layout"`
	Peer   string  `json:"peer"`
	Op     string  `json:"op"`
	Case   string  `json:"case"`
	Round  int     `json:"round"`
	Ours   measure `json:"ours"`
	// InPlace is ours, too: loads with Options.InPlace.
	InPlace *measure `json:"ours_in_place,omitempty"`
	Theirs  measure  `json:"theirs"`
}

func (p *pair) rounds(ctx context.Context, s stage) error {
	if err := p.warmUp(s); err != nil {
		return err
	}
	able := slices.DeleteFunc(slices.Clone(s.cases), func(c trial) bool {
		return c.only != "" && c.only != p.theirs.process.name
	})
	for round := range s.rounds {
		var next []trial
		for _, c := range able {
			got, err := p.measure(c, round)
			if err := ctx.Err(); err != nil {
				return err
			}
			if errors.Is(err, errUnable) {
				continue // and is not asked again
			}
			if err != nil {
				return err
			}
			next = append(next, c)
			p.bench.report.add(got)
			fmt.Fprintf(p.bench.progress, "%s, %s %s, round %d: %.3f s, ours %.3f s, limit %.3f s\n",
				p.layout.name, got.Peer, c.name, round+1, got.Theirs.took(c.op), got.Ours.took(c.op), got.Ours.Limit)
		}
		able = next
	}
	return nil
}

// warmUp has each case once without the clock: the first save of a process makes
// the buffers that later ones use again, and compiles or imports what it needs.
func (p *pair) warmUp(s stage) error {
	if s.layout.saves > 0 {
		return nil // of so many the first does not matter
	}
	for _, t := range []turn{{side: p.ours}, {side: p.ours, inPlace: true}, {side: p.theirs}} {
		for _, c := range s.cases {
			if c.flush || c.pages == coldPages || c.only != "" || t.inPlace && c.op != "load" {
				continue // nothing new to the process
			}
			m, err := p.one(t, c)
			if err != nil && !errors.Is(err, errUnable) {
				return p.blame(t.side, err)
			}
			t.side.first[t.key(c)] = m.Peak
		}
	}
	return nil
}

// turn is a side's turn to be measured.
type turn struct {
	side    *side
	inPlace bool
	result  *measure
}

// key tells the operations apart that need different buffers.
func (t turn) key(c trial) string { return fmt.Sprint(c.op, c.cold, t.inPlace) }

// turns are who is measured, in what order. That changes from round to round.
func (p *pair) turns(c trial, round int, into *sample) []turn {
	turns := []turn{{side: p.ours, result: &into.Ours}, {side: p.theirs, result: &into.Theirs}}
	if c.op == "load" {
		into.InPlace = &measure{}
		turns = slices.Insert(turns, 1, turn{side: p.ours, inPlace: true, result: into.InPlace})
	}
	if round%2 == 1 {
		slices.Reverse(turns)
	}
	return turns
}

// measure measures both, each between two measurements of the limit.
func (p *pair) measure(c trial, round int) (got sample, err error) {
	got = sample{Layout: p.layout.name, Peer: p.theirs.process.name, Op: c.op, Case: c.name, Round: round}
	before, err := p.limit(c)
	if err != nil {
		return got, err
	}
	for _, t := range p.turns(c, round, &got) {
		if *t.result, err = p.one(t, c); err != nil {
			return got, p.blame(t.side, err)
		}
		after, err := p.limit(c)
		if err != nil {
			return got, err
		}
		t.result.Limit = (before + after) / 2
		t.result.Peak = max(t.result.Peak, t.side.first[t.key(c)])
		before = after
	}
	return got, nil
}

func (p *pair) blame(s *side, err error) error {
	if s == p.ours {
		return fmt.Errorf("%w: %w", errOurs, err)
	}
	return err
}

func (p *pair) limit(c trial) (float64, error) {
	seconds, err := p.bench.limits.seconds(c.limit, p.layout.bytes())
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", errOurs, c.limit, err)
	}
	return seconds, nil
}

func (p *pair) one(t turn, c trial) (measure, error) {
	if c.op == "load" {
		return p.load(t.side, c, t.inPlace)
	}
	return p.save(t.side, c)
}

// save measures a save into a new directory, which it removes.
func (p *pair) save(s *side, c trial) (m measure, err error) {
	dir, err := p.newDir(s)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err = p.clock(s, c, peer.Request{Op: c.op, Dir: dir, Saves: p.layout.saves, Keep: 5, Loops: c.loops})
	if c.op == "small" {
		m.Seconds, m.CPU = m.Seconds/float64(p.layout.saves), m.CPU/float64(p.layout.saves)
	}
	return m, err
}

// load measures a restore of what was saved once, with the files where c says.
func (p *pair) load(s *side, c trial, inPlace bool) (m measure, err error) {
	if s.saved == "" {
		if s.saved, err = p.newDir(s); err != nil {
			return m, err
		}
		if _, err := s.process.call(peer.Request{Op: "save", Dir: s.saved}); err != nil {
			return m, err
		}
	}
	if _, err := s.process.call(peer.Request{Op: "spoil"}); err != nil {
		return m, err
	}
	place := fetch
	if c.cold {
		place = evict
	}
	if err := errors.Join(flush(s.saved), place(s.saved)); err != nil {
		return m, err
	}
	if m, err = p.clock(s, c, peer.Request{Op: "load", Dir: s.saved, InPlace: inPlace}); err != nil {
		return m, err
	}
	_, err = s.process.call(peer.Request{Op: "check"})
	return m, err
}

// clock measures one call, and the flush after it where c has one. Ours has
// none to add: its save returns when all is flushed.
func (p *pair) clock(s *side, c trial, q peer.Request) (m measure, err error) {
	release, err := force(c.pages, p.bench.scratch, p.layout.bytes())
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, release()) }()
	watch, err := newMeter(s.process.cmd.Process.Pid)
	if err != nil {
		return m, err
	}
	answer, err := s.process.call(q)
	if err != nil {
		return m, err
	}
	if c.flush && s != p.ours {
		if err := flush(q.Dir); err != nil {
			return m, err
		}
	}
	m, err = watch.stop()
	m.Stall, m.Lost = answer.Stall, answer.Lost
	return m, err
}

func (p *pair) newDir(s *side) (string, error) {
	return os.MkdirTemp(p.bench.scratch, filepath.Base(s.process.name)+"-")
}

// forget removes what load has read.
func (p *pair) forget() error {
	var errs []error
	for _, s := range []*side{p.ours, p.theirs} {
		if s.saved != "" {
			errs = append(errs, os.RemoveAll(s.saved))
		}
	}
	return errors.Join(errs...)
}
