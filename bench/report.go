package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"
)

// report is what a run has measured.
type report struct {
	machine  machine
	started  time.Time
	ended    time.Time
	options  string
	versions map[string]string
	samples  []sample
	failures []failure
}

// failure is why a peer has no row, or not all.
type failure struct {
	Layout string `json:"layout"`
	Peer   string `json:"peer"`
	Reason string `json:"reason"`
}

func newReport(dir string, o *options) *report {
	return &report{machine: describe(dir), started: time.Now(), options: o.text(), versions: map[string]string{}}
}

// text is the command line's options that change what is measured.
func (o *options) text() string {
	var set []string
	if o.short {
		set = append(set, "-short")
	}
	if o.peers != "" {
		set = append(set, "-peers "+o.peers)
	}
	if o.layouts != "" {
		set = append(set, "-layouts "+o.layouts)
	}
	return strings.Join(set, " ")
}

func (r *report) add(s sample) { r.samples = append(r.samples, s) }

func (r *report) failed(layout, peer string, err error) {
	r.failures = append(r.failures, failure{layout, peer, err.Error()})
}

func (r *report) end() {
	r.ended = time.Now()
	r.machine.LoadAfter = loadAverage()
}

// fastest returns the n peers, besides those given, that save fastest when
// their files are flushed.
func (r *report) fastest(n int, besides []peerKind) []peerKind {
	took := map[string][]float64{}
	for _, s := range r.samples {
		if s.Layout == layouts()[0].name && s.Op == "save" && strings.HasPrefix(s.Case, "flushed, warm") {
			took[s.Peer] = append(took[s.Peer], s.Theirs.Seconds)
		}
	}
	kinds := slices.DeleteFunc(peerKinds(), func(k peerKind) bool {
		given := slices.ContainsFunc(besides, func(b peerKind) bool { return b.name == k.name })
		return given || took[k.name] == nil
	})
	slices.SortFunc(kinds, compare(func(k peerKind) float64 { return spreadOf(took[k.name]).Median }))
	return kinds[:min(n, len(kinds))]
}

// writeJSON writes every measurement.
func (r *report) writeJSON(name string) error {
	b, err := json.MarshalIndent(struct {
		Machine  machine           `json:"machine"`
		Started  time.Time         `json:"started"`
		Ended    time.Time         `json:"ended"`
		Options  string            `json:"options"`
		Versions map[string]string `json:"versions"`
		Samples  []sample          `json:"samples"`
		Failures []failure         `json:"failures"`
	}{r.machine, r.started, r.ended, r.options, r.versions, r.samples, r.failures}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o666)
}
