package experiment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	recordSchema = 1
	// maxRecord bounds what is read of a run.json. Ours are below 1 KiB and
	// what the params take.
	maxRecord = 1 << 20
)

// Status is how far a run has come.
type Status string

// The states of a run. One whose program was killed stays Running: its newest
// checkpoint tells how long ago that may be.
const (
	Running  Status = "running"
	Finished Status = "finished"
	Failed   Status = "failed"
)

// Record is what run.json tells. Fields of the file that this version does
// not know are kept when it is written again.
type Record struct {
	Status   Status
	Error    string // why it failed
	Tags     []string
	Params   map[string]any // numbers are json.Number: exact
	From     *Origin        // nil: it began from nothing
	Created  time.Time
	Started  time.Time // the last time
	Finished time.Time
	Host     string // where it was started, the last time
	PID      int
	Commit   string // of the program's source
	Dirty    bool   // the source had changes that were not committed

	schema  int // of the file: a later one stays, with the fields that it may be about
	unknown map[string]json.RawMessage
}

// Origin is a checkpoint of a run that another goes on from.
type Origin struct {
	Run  string `json:"run,omitempty"`
	Path string `json:"path"` // in the run's directory
	Step *int64 `json:"step,omitempty"`
}

// String returns "run/path".
func (o Origin) String() string {
	if o.Run == "" {
		return o.Path
	}
	return o.Run + "/" + o.Path
}

// recordJSON is the form of the file.
type recordJSON struct {
	Schema   int            `json:"schema"`
	Status   Status         `json:"status,omitempty"`
	Error    string         `json:"error,omitempty"`
	Tags     []string       `json:"tags,omitempty"`
	Params   map[string]any `json:"params,omitempty"`
	From     *Origin        `json:"from,omitempty"`
	Created  time.Time      `json:"created,omitzero"`
	Started  time.Time      `json:"started,omitzero"`
	Finished time.Time      `json:"finished,omitzero"`
	Host     string         `json:"host,omitempty"`
	PID      int            `json:"pid,omitempty"`
	Commit   string         `json:"commit,omitempty"`
	Dirty    bool           `json:"dirty,omitempty"`
}

// recordFields are the names in recordJSON; all others are unknown.
var recordFields = []string{"schema", "status", "error", "tags", "params", "from",
	"created", "started", "finished", "host", "pid", "commit", "dirty"}

// readRecord reads the run.json of dir. A missing one is an error that wraps
// fs.ErrNotExist, one that holds something else format.ErrCorrupt.
func readRecord(ctx context.Context, dir storage.Dir) (Record, error) {
	f, err := dir.Open(ctx, recordName)
	if err != nil {
		return Record{}, err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), maxRecord+1)))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Record{}, err
	}
	record, err := parseRecord(text)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w: not a record of a run: %w", recordName, format.ErrCorrupt, err)
	}
	return record, nil
}

func parseRecord(text []byte) (Record, error) {
	if len(text) > maxRecord {
		return Record{}, fmt.Errorf("more than %d bytes", maxRecord)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var j recordJSON
	if err := d.Decode(&j); err != nil {
		return Record{}, err
	}
	if j.Schema < recordSchema {
		return Record{}, fmt.Errorf("schema is %d, want %d or higher", j.Schema, recordSchema)
	}
	var unknown map[string]json.RawMessage
	if err := json.Unmarshal(text, &unknown); err != nil { // what follows the object, too
		return Record{}, err
	}
	maps.DeleteFunc(unknown, func(name string, _ json.RawMessage) bool { return slices.Contains(recordFields, name) })
	return Record{
		Status: j.Status, Error: j.Error, Tags: j.Tags, Params: j.Params, From: j.From,
		Created: j.Created, Started: j.Started, Finished: j.Finished,
		Host: j.Host, PID: j.PID, Commit: j.Commit, Dirty: j.Dirty, schema: j.Schema, unknown: unknown,
	}, nil
}

// text returns the content of the file, its fields in alphabetical order.
func (r Record) text() ([]byte, error) {
	known, err := json.Marshal(recordJSON{
		Schema: r.schema, Status: r.Status, Error: r.Error, Tags: r.Tags, Params: r.Params, From: r.From,
		Created: r.Created, Started: r.Started, Finished: r.Finished,
		Host: r.Host, PID: r.PID, Commit: r.Commit, Dirty: r.Dirty,
	})
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(known, &fields); err != nil {
		return nil, err
	}
	maps.Copy(fields, r.unknown)
	text, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return nil, err
	}
	if len(text) > maxRecord {
		return nil, fmt.Errorf("record of %d bytes: at most %d are kept of a run's params", len(text), maxRecord)
	}
	return append(text, '\n'), nil
}

// clone returns a copy whose lists and maps the caller may change. Params in
// params are shared.
func (r Record) clone() Record {
	r.Tags, r.Params, r.unknown = slices.Clone(r.Tags), maps.Clone(r.Params), maps.Clone(r.unknown)
	if r.From != nil {
		from := *r.From
		r.From = &from
	}
	return r
}

// params returns the params as they will be read again.
func (o *RunOptions) params() (map[string]any, error) {
	text, err := json.Marshal(o.Params)
	if err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var params map[string]any
	if err := d.Decode(&params); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	return params, nil
}

// ErrParams is that a run goes on with other params than it began with.
var ErrParams = errors.New("the params of a run do not change: begin another run")

func sameParams(was, is map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if v, ok := was[name]; !ok {
			return fmt.Errorf("param %q is new: %w", name, ErrParams)
		} else if !reflect.DeepEqual(v, is[name]) {
			return fmt.Errorf("param %q was %v, now it is %v: %w", name, v, is[name], ErrParams)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok {
			return fmt.Errorf("param %q was %v, now it is not given: %w", name, was[name], ErrParams)
		}
	}
	return nil
}
