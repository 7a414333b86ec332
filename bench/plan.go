package main

import (
	"fmt"
	"slices"
	"strings"
)

// layout is what is saved.
type layout struct {
	name     string
	tensors  int
	elements int // of each, float32
	saves    int // with small: so many in a row, of which five stay
}

func (l layout) bytes() int64 { return int64(l.tensors) * int64(l.elements) * 4 }

// The first layout is what all peers are measured on.
func layouts() []layout {
	return []layout{
		{name: "200x5MiB", tensors: 200, elements: 5 << 18},
		{name: "20000x50KiB", tensors: 20_000, elements: 50 << 8},
		{name: "1x1GiB", tensors: 1, elements: 1 << 28},
		{name: "small", tensors: 10, elements: 1 << 18 / 10, saves: 1000},
	}
}

func layoutNames() (names []string) {
	for _, l := range layouts() {
		names = append(names, l.name)
	}
	return names
}

// scaled is the layout with an n-th of the bytes, or of the saves.
func (l layout) scaled(n int) layout {
	switch {
	case l.saves > 0:
		l.saves = max(l.saves/n, 7)
	case l.tensors >= n:
		l.tensors /= n
	default:
		l.elements = max(l.elements/n, 1)
	}
	return l
}

// stage is a layout, who is measured on it, and how often.
type stage struct {
	layout  layout
	peers   []peerKind
	fastest int // besides, so many of those that were fastest on the first layout
	rounds  int
	cases   []trial
}

type plan []stage

// space is what the files of a run take at most: those of three saves, their
// limit's and the scratch file's at a time, doubled.
func (p plan) space() int64 {
	most := int64(0)
	for _, s := range p {
		most = max(most, s.layout.bytes())
	}
	return most * 20
}

func makePlan(o *options) (plan, error) {
	peers, err := choose(peerKinds(), o.peers, func(p peerKind) string { return p.name })
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	chosen, err := choose(layouts(), o.layouts, func(l layout) string { return l.name })
	if err != nil {
		return nil, fmt.Errorf("layouts: %w", err)
	}
	if o.short {
		chosen, peers = chosen[:1], peers[:1]
	}
	var p plan
	for _, l := range chosen {
		s := stage{layout: l.scaled(o.scale), peers: peers, rounds: 3, cases: cases(o.short)}
		switch {
		case l.saves > 0:
			s.cases = []trial{smallSaves}
		case l.name == layouts()[0].name && !o.short:
			s.rounds = 5
		case o.peers == "" && !o.short && o.layouts == "":
			s.peers, s.fastest = peers[:1], 2
		}
		if o.rounds > 0 {
			s.rounds = o.rounds
		}
		p = append(p, s)
	}
	return p, nil
}

// choose returns those of all whose names are in list, all if it is empty.
func choose[T any](all []T, list string, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var chosen []T
	for n := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == n })
		if i < 0 {
			return nil, fmt.Errorf("%q: no such name", n)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
