package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
}

// sample is what a case took both in one round.
type sample struct {
	Layout string  `json:"layout"`
	Peer   string  `json:"peer"`
	Op     string  `json:"op"`
	Case   string  `json:"case"`
	Round  int     `json:"round"`
	Ours   measure `json:"ours"`
	Theirs measure `json:"theirs"`
}

func (p *pair) rounds(ctx context.Context, s stage) error {
	if err := p.warmUp(s); err != nil {
		return err
	}
	able := s.cases
	for round := range s.rounds {
		var next []kase
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
				p.layout.name, got.Peer, c.name, round+1, got.Theirs.Seconds, got.Ours.Seconds, got.Ours.Limit)
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
	for _, side := range []*side{p.ours, p.theirs} {
		for _, c := range s.cases {
			if c.flush || c.pages == coldPages {
				continue // nothing new to the process
			}
			if _, err := p.one(side, c); err != nil && !errors.Is(err, errUnable) {
				return p.blame(side, err)
			}
		}
	}
	return nil
}

// measure measures both, each between two measurements of the limit. Who comes
// first changes from round to round.
func (p *pair) measure(c kase, round int) (got sample, err error) {
	got = sample{Layout: p.layout.name, Peer: p.theirs.process.name, Op: c.op, Case: c.name, Round: round}
	type turn struct {
		side   *side
		result *measure
	}
	turns := []turn{{p.ours, &got.Ours}, {p.theirs, &got.Theirs}}
	if round%2 == 1 {
		turns[0], turns[1] = turns[1], turns[0]
	}
	before, err := p.limit(c)
	if err != nil {
		return got, err
	}
	for _, t := range turns {
		if *t.result, err = p.one(t.side, c); err != nil {
			return got, p.blame(t.side, err)
		}
		after, err := p.limit(c)
		if err != nil {
			return got, err
		}
		t.result.Limit = (before + after) / 2
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

func (p *pair) limit(c kase) (float64, error) {
	seconds, err := p.bench.limits.seconds(c.limit, p.layout.bytes())
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", errOurs, c.limit, err)
	}
	return seconds, nil
}

func (p *pair) one(s *side, c kase) (measure, error) {
	switch c.op {
	case "load":
		return p.load(s, c)
	default:
		return p.save(s, c)
	}
}

// save measures a save into a new directory, which it removes.
func (p *pair) save(s *side, c kase) (m measure, err error) {
	dir, err := p.newDir(s)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err = p.clock(s, c, peer.Request{Op: c.op, Dir: dir, Saves: p.layout.saves, Keep: 5})
	if c.op == "small" {
		m.Seconds, m.CPU = m.Seconds/float64(p.layout.saves), m.CPU/float64(p.layout.saves)
	}
	return m, err
}

// load measures a restore of what was saved once, with the files where c says.
func (p *pair) load(s *side, c kase) (m measure, err error) {
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
	if m, err = p.clock(s, c, peer.Request{Op: "load", Dir: s.saved}); err != nil {
		return m, err
	}
	_, err = s.process.call(peer.Request{Op: "check"})
	return m, err
}

// clock measures one call, and the flush after it where c has one. Ours has
// none to add: its save returns when all is flushed.
func (p *pair) clock(s *side, c kase, q peer.Request) (m measure, err error) {
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
	m.Stall = answer.Stall
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
