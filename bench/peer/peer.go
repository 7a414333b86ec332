// Package peer is what the benchmarks' processes say to each other: a request is
// one line of JSON on standard input, its answer one on standard output. A
// process holds the data that it saves and restores, so that none is made while
// the clock runs; the clock is the caller's. peers/peer.py is the same in Python.
package peer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Request asks a process to do something. Op is one of
//
//	hello   say the version
//	make    make Tensors tensors of Elements float32 each, in place of those before
//	save    save them into Dir, which is new
//	spoil   forget the values: what load gives must come from the disk
//	load    restore them from Dir
//	check   compare what load gave with what was made
//	async   save into Dir while the caller goes on, and wait for the end
//	small   Saves saves into Dir, one after the other, of which the last Keep stay
//	loop    save into Dir while Loops goroutines compute
type Request struct {
	Op       string `json:"op"`
	Dir      string `json:"dir,omitempty"`
	Tensors  int    `json:"tensors,omitempty"`
	Elements int    `json:"elements,omitempty"`
	Saves    int    `json:"saves,omitempty"`
	Keep     int    `json:"keep,omitempty"`
	Loops    int    `json:"loops,omitempty"`
	InPlace  bool   `json:"in_place,omitempty"` // of load: overwrite before all is verified
}

// Answer is what became of a Request. Unable without an Error says that there is no such thing.
type Answer struct {
	Error   string  `json:"error,omitempty"`
	Unable  bool    `json:"unable,omitempty"`
	Version string  `json:"version,omitempty"` // of hello
	Stall   float64 `json:"stall,omitempty"`   // of async: seconds until the caller went on
	Lost    float64 `json:"lost,omitempty"`    // of loop: see Lost
}

// Calls has what a process can do, by Request.Op.
type Calls map[string]func(Request) (Answer, error)

// Serve answers requests until there are no more.
func Serve(r io.Reader, w io.Writer, calls Calls) error {
	requests, answers := json.NewDecoder(bufio.NewReader(r)), json.NewEncoder(w)
	for {
		var q Request
		if err := requests.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if err := answers.Encode(calls.answer(q)); err != nil {
			return fmt.Errorf("answer to %s: %w", q.Op, err)
		}
	}
}

func (c Calls) answer(q Request) Answer {
	call, ok := c[q.Op]
	if !ok {
		return Answer{Unable: true}
	}
	a, err := call(q)
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
