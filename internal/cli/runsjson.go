package cli

import (
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
)

type runsJSON struct {
	Schema      int              `json:"schema"`
	Metric      string           `json:"metric,omitempty"`
	Runs        []runJSON        `json:"runs"`
	Differences []differenceJSON `json:"differences,omitempty"`
}

// runJSON describes one run.
type runJSON struct {
	Name        string             `json:"name"`
	RawName     string             `json:"name_base64,omitempty"`
	Recorded    bool               `json:"recorded"`
	Status      string             `json:"status,omitempty"`
	Error       string             `json:"error,omitempty"` // why it failed
	Tags        []string           `json:"tags,omitempty"`
	Params      map[string]any     `json:"params,omitempty"`
	From        *experiment.Origin `json:"from,omitempty"`
	Created     *time.Time         `json:"created,omitempty"`
	Started     *time.Time         `json:"started,omitempty"`
	Finished    *time.Time         `json:"finished,omitempty"`
	Host        string             `json:"host,omitempty"`
	PID         int                `json:"pid,omitempty"`
	Commit      string             `json:"commit,omitempty"`
	Dirty       bool               `json:"dirty,omitempty"`
	Checkpoints int                `json:"checkpoints"`
	Bytes       int64              `json:"bytes"`
	Newest      *pointJSON         `json:"newest,omitempty"`
	Best        *pointJSON         `json:"best,omitempty"`

	RecordError string `json:"record_error,omitempty"`
}

// pointJSON is a checkpoint of a run.
type pointJSON struct {
	Name         string         `json:"name"`
	RawName      string         `json:"name_base64,omitempty"`
	Step         *int64         `json:"step,omitempty"`
	Time         *time.Time     `json:"time,omitempty"`
	Metrics      map[string]any `json:"metrics,omitempty"`
	ReceiptError string         `json:"receipt_error,omitempty"`
}

// differenceJSON is a field that runs do not agree in.
type differenceJSON struct {
	Field  string   `json:"field"`
	Values []string `json:"values"` // in the order of the runs
}

func describeRuns(list []experiment.Listing, o *runsOptions) runsJSON {
	j := runsJSON{Schema: schema, Metric: o.metric, Runs: []runJSON{}}
	for _, l := range list {
		j.Runs = append(j.Runs, describeRun(l))
	}
	return j
}

func describeRun(l experiment.Listing) runJSON {
	r := l.Record
	j := runJSON{
		Name: l.Name, RawName: rawName(l.Name), Recorded: l.Recorded,
		Status: string(r.Status), Error: r.Error, Tags: r.Tags, Params: r.Params, From: r.From,
		Created: momentJSON(r.Created), Started: momentJSON(r.Started), Finished: momentJSON(r.Finished),
		Host: r.Host, PID: r.PID, Commit: r.Commit, Dirty: r.Dirty,
		Checkpoints: l.Checkpoints, Bytes: l.Bytes, Newest: describePoint(l.Newest), Best: describePoint(l.Best),
	}
	if l.Err != nil {
		j.RecordError = sentence(l.Err)
	}
	return j
}

func describePoint(l *checkpoint.Listing) *pointJSON {
	if l == nil {
		return nil
	}
	p := &pointJSON{Name: l.Path, RawName: rawName(l.Path), Step: stepOf(l), Time: momentJSON(l.Time), Metrics: jsonMetrics(metricsOf(l))}
	if l.ReceiptErr != nil {
		p.ReceiptError = sentence(l.ReceiptErr)
	}
	return p
}

// momentJSON leaves a time out that nobody told.
func momentJSON(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
