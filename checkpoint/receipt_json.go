package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// receiptJSON is the file's form. Its fields come in the order people look
// for them.
type receiptJSON struct {
	Schema      int               `json:"schema"`
	Path        string            `json:"path"`
	SaveCounter int64             `json:"save_counter"`
	Step        *int64            `json:"step,omitempty"`
	Epoch       *int64            `json:"epoch,omitempty"`
	Time        time.Time         `json:"time"`
	DurationMS  float64           `json:"duration_ms"`
	Files       []fileJSON        `json:"files,omitempty"`
	Parity      []fileJSON        `json:"parity,omitempty"`
	Metrics     map[string]number `json:"metrics,omitempty"`
	Host        string            `json:"host,omitempty"`
	PID         int               `json:"pid,omitempty"`
	Writer      string            `json:"writer,omitempty"`
	After       *string           `json:"after,omitempty"`
	Token       int64             `json:"token,omitempty"`
	Kept        string            `json:"kept,omitempty"`
	Retained    string            `json:"retained,omitempty"`
	Pinned      string            `json:"pinned,omitempty"`
	Rejected    string            `json:"rejected,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Run         string            `json:"run,omitempty"`
	Restored    string            `json:"restored_from,omitempty"`
	Commit      string            `json:"commit,omitempty"`
	Dirty       bool              `json:"dirty,omitempty"`
	Rebuilt     string            `json:"rebuilt,omitempty"`

	Sum json.RawMessage `json:"crc32c,omitempty"` // only seen: the text has it written
}

type fileJSON struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	CRC32C crcHex `json:"crc32c"`
	Linked string `json:"linked,omitempty"`
}

// receiptFields are the names in receiptJSON; all others are unknown.
var receiptFields = []string{"schema", "path", "save_counter", "step", "epoch", "time", "duration_ms",
	"files", "parity", "metrics", "host", "pid", "writer", "after", "token", "kept", "retained", "pinned", "rejected", "tags", "run", "restored_from",
	"commit", "dirty", "rebuilt", sumField}

// MarshalJSON returns what the receipt's file holds, without the checksum,
// which is that of a file: WriteReceipt writes one.
func (r Receipt) MarshalJSON() ([]byte, error) {
	object, err := r.object()
	if err == nil {
		object, err = indented(object)
	}
	if err != nil {
		return nil, fmt.Errorf("receipt of %s: %w", r.Path, err)
	}
	return object, nil
}

// object returns the fields, known and unknown, as one JSON object.
func (r Receipt) object() ([]byte, error) {
	object, err := json.Marshal(r.encode())
	for _, name := range slices.Sorted(maps.Keys(r.unknown)) {
		if err == nil {
			object, err = appendField(object, name, r.unknown[name])
		}
	}
	return object, err
}

// indented puts one field on a line, and a newline at the end.
func indented(object []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, object, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// appendField adds a field to the end of a JSON object that has others.
func appendField(object []byte, name string, value json.RawMessage) ([]byte, error) {
	key, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	object = append(object[:len(object)-1], ',')
	object = append(append(object, key...), ':')
	return append(append(object, value...), '}'), nil
}

func (r Receipt) encode() receiptJSON {
	j := receiptJSON{
		Schema: r.Schema, Path: r.Path, SaveCounter: r.SaveCounter, Step: r.Step, Time: r.Time,
		DurationMS: float64(r.Duration) / float64(time.Millisecond),
		Host:       r.Host, PID: r.PID, Writer: r.Writer, After: r.After, Token: r.Token, Kept: r.Kept, Epoch: r.Epoch,
		Retained: r.Retained, Pinned: r.Pinned, Rejected: r.Rejected, Tags: r.Tags,
		Run: r.Run, Restored: r.RestoredFrom, Commit: r.Commit, Dirty: r.Dirty, Rebuilt: r.Rebuilt,
	}
	j.Files, j.Parity = encodeFiles(r.Files), encodeFiles(r.Parity)
	if len(r.Metrics) > 0 {
		j.Metrics = make(map[string]number, len(r.Metrics))
	}
	for name, v := range r.Metrics {
		j.Metrics[name] = number(v)
	}
	return j
}

// UnmarshalJSON reads what MarshalJSON returns, or a receipt's file, of which
// it does not look at the checksum: ReadReceipt does.
func (r *Receipt) UnmarshalJSON(text []byte) (err error) {
	*r, _, err = decodeReceipt(text)
	return err
}

// decodeReceipt also tells whether there is a checksum.
func decodeReceipt(text []byte) (r Receipt, summed bool, err error) {
	if j, ok := decodeKnown(text); ok {
		return j.decode(), j.Sum != nil, nil
	}
	return decodeAny(text)
}

// decodeKnown reads a receipt as this version writes them, without a second
// look for fields that it does not know: who lists a directory reads thousands.
// Of any other it says nothing.
func decodeKnown(text []byte) (j receiptJSON, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if len(text) == 0 || text[0] != '{' || d.Decode(&j) != nil || j.check() != nil {
		return j, false
	}
	// encoding/json takes a name in any case; the checksum's counts only as
	// it is written, which its place at the end shows.
	whole := len(bytes.TrimSpace(text[d.InputOffset():])) == 0
	return j, whole && (j.Sum == nil || sumDigits(text) != nil)
}

// decodeAny is decodeReceipt for any text.
func decodeAny(text []byte) (r Receipt, summed bool, err error) {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return r, false, errors.New("want a JSON object")
	}
	var j receiptJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return r, false, plain(err)
	}
	if err := j.check(); err != nil {
		return r, false, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return r, false, err
	}
	_, summed = all[sumField]
	// encoding/json takes a known name in any case, so all cases are known.
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return slices.ContainsFunc(receiptFields, func(known string) bool { return strings.EqualFold(known, name) })
	})
	if r = j.decode(); len(all) > 0 {
		r.unknown = all
	}
	return r, summed, nil
}

// plain returns an error of encoding/json without the names of our types.
func plain(err error) error {
	var other *json.UnmarshalTypeError
	if !errors.As(err, &other) {
		return err
	}
	return fmt.Errorf("field %q cannot be a %s", other.Field, other.Value)
}

// check refuses what no writer of receipts means. A later schema is not
// refused: fields are added, never changed.
func (j receiptJSON) check() error {
	if j.Schema < 1 {
		return fmt.Errorf("schema is %d, want 1 or higher", j.Schema)
	}
	for _, list := range [][]fileJSON{j.Files, j.Parity} {
		for i := range list {
			if f := &list[i]; f.Size < 0 {
				return fmt.Errorf("file %q: size is %d", f.Name, f.Size)
			}
		}
	}
	return nil
}

func (j receiptJSON) decode() Receipt {
	r := Receipt{
		Schema: j.Schema, Path: j.Path, SaveCounter: j.SaveCounter, Step: j.Step, Time: j.Time,
		Duration: milliseconds(j.DurationMS),
		Host:     j.Host, PID: j.PID, Writer: j.Writer, After: j.After, Token: j.Token, Kept: j.Kept, Epoch: j.Epoch,
		Retained: j.Retained, Pinned: j.Pinned, Rejected: j.Rejected, Tags: j.Tags,
		Run: j.Run, RestoredFrom: j.Restored, Commit: j.Commit, Dirty: j.Dirty, Rebuilt: j.Rebuilt,
	}
	r.Files, r.Parity = decodeFiles(j.Files), decodeFiles(j.Parity)
	if len(j.Metrics) > 0 {
		r.Metrics = make(map[string]float64, len(j.Metrics))
	}
	for name, v := range j.Metrics {
		r.Metrics[name] = float64(v)
	}
	return r
}

func encodeFiles(files []ReceiptFile) []fileJSON {
	list := make([]fileJSON, 0, len(files))
	for _, f := range files {
		list = append(list, fileJSON{f.Name, f.Size, crcHex(f.CRC32C), f.Linked})
	}
	return list
}

func decodeFiles(list []fileJSON) []ReceiptFile {
	if len(list) == 0 {
		return nil
	}
	files := make([]ReceiptFile, 0, len(list))
	for _, f := range list {
		files = append(files, ReceiptFile{f.Name, f.Size, uint32(f.CRC32C), f.Linked})
	}
	return files
}
