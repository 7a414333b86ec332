package graphs

import (
	"encoding/json"
	"fmt"
	"os"
)

// The ways a Graph is saved, in Graph.Call.
const (
	Write   = "write"   // Checkpoint.Write, as "ckpt"
	Save    = "save"    // Checkpoint.Save, as "ckpt-1" and so on
	Manager = "manager" // Manager.Save
)

// Graph is one description.
type Graph struct {
	Name     string   `json:"name"`
	Why      string   `json:"why,omitempty"`
	Call     string   `json:"call"`
	Saves    int      `json:"saves"`
	Root     *int     `json:"root"`               // nil: the Checkpoint is node 0
	Attached []Edge   `json:"attached,omitempty"` // the Checkpoint's named objects
	Late     []Edge   `json:"late,omitempty"`     // tracked after the first save
	Objects  []Object `json:"objects"`

	MaxToKeep      *int    `json:"max_to_keep,omitempty"`
	KeepEveryHours float64 `json:"keep_every_hours,omitempty"`
	// A manager's first look at the clock, and the seconds to each next one.
	ClockStart float64 `json:"clock_start,omitempty"`
	ClockTick  float64 `json:"clock_tick,omitempty"`

	// What TensorFlow made of it: the tensors in the order of the data file,
	// and the object graph in hex.
	Tensors     []Value `json:"tensors,omitempty"`
	ObjectGraph string  `json:"object_graph,omitempty"`
}

// Object describes one object; its id is its place in Graph.Objects.
type Object struct {
	Kind     string `json:"kind"` // node list tuple namedtuple dict variable tensors state slots
	Children []Edge `json:"children,omitempty"`
	// Items are ids for a list and a tuple, edges for a dict and a namedtuple.
	Items    json.RawMessage `json:"items,omitempty"`
	FullName string          `json:"full_name,omitempty"`
	State    string          `json:"state"`
	Tensors  []NamedValue    `json:"tensors,omitempty"`
	Slots    []Slot          `json:"slots,omitempty"`
	Lazy     []Slot          `json:"lazy,omitempty"` // slots made when a restore asks
	*Value                   // of a variable
}

// Edge is a name and an object's id: ["name", 7] in JSON.
type Edge struct {
	Name   string
	Object int
}

// NamedValue is one tensor of an object with several: ["name", {…}] in JSON.
type NamedValue struct {
	Name  string
	Value Value
}

// Slot is a slot's name and the pairs of variable and value that have it:
// ["m", [[0, 7], [1, 8]]] in JSON.
type Slot struct {
	Name  string
	Pairs [][2]int
}

// MarshalJSON writes a pair.
func (e Edge) MarshalJSON() ([]byte, error) { return json.Marshal([]any{e.Name, e.Object}) }

// UnmarshalJSON reads a pair.
func (e *Edge) UnmarshalJSON(text []byte) error { return pair(text, &e.Name, &e.Object) }

// MarshalJSON writes a pair.
func (v NamedValue) MarshalJSON() ([]byte, error) { return json.Marshal([]any{v.Name, v.Value}) }

// UnmarshalJSON reads a pair.
func (v *NamedValue) UnmarshalJSON(text []byte) error { return pair(text, &v.Name, &v.Value) }

// MarshalJSON writes a pair.
func (s Slot) MarshalJSON() ([]byte, error) { return json.Marshal([]any{s.Name, s.Pairs}) }

// UnmarshalJSON reads a pair.
func (s *Slot) UnmarshalJSON(text []byte) error { return pair(text, &s.Name, &s.Pairs) }

func pair(text []byte, first, second any) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("%s is not a pair", text)
	}
	if err := json.Unmarshal(parts[0], first); err != nil {
		return err
	}
	return json.Unmarshal(parts[1], second)
}

// Read reads a description from a file.
func Read(name string) (*Graph, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	g := new(Graph)
	if err := json.Unmarshal(text, g); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}
