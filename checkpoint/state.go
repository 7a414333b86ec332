package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/storage"
)

// maxState bounds what is read of a state file: some hundred thousand paths.
const maxState = 64 << 20

// State is the content of the state file, the one named "checkpoint": which
// checkpoint is the newest, and which ones are managed. Paths are as the file
// has them. (TensorFlow: CheckpointState)
type State struct {
	ModelCheckpointPath     string
	AllModelCheckpointPaths []string // oldest first
	// AllModelCheckpointTimestamps are as many as the paths, or none: then
	// no manager manages the paths.
	AllModelCheckpointTimestamps []time.Time
	// LastPreservedTimestamp is the time of the newest checkpoint that was
	// preserved. What is listed but no newer is not managed.
	LastPreservedTimestamp time.Time
}

// ReadState reads the state file of dir. A missing one is an error that wraps
// fs.ErrNotExist, one that holds something else format.ErrCorrupt.
// (TensorFlow: tf.train.get_checkpoint_state)
func ReadState(ctx context.Context, dir storage.Dir) (State, error) {
	text, err := readBounded(ctx, dir, filename.State, maxState)
	if err != nil {
		return State{}, err
	}
	return parseState(text)
}

// VerifyState checks the state file of dir, if there is one: that it can be
// read, and that the checkpoint it names as the newest is there. One that is
// not there is an error that wraps fs.ErrNotExist; Latest passes over it.
func VerifyState(ctx context.Context, dir storage.Dir) error {
	s, err := ReadState(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if p, _, ok := filename.Local(s.ModelCheckpointPath); ok {
		if _, err := locatePath(ctx, dir, p); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	reason := fmt.Sprintf("the state file names %q, which is not there", s.ModelCheckpointPath)
	return &flaw{filename.State, reason, fs.ErrNotExist}
}

// parseState reads what is in a state file. Its errors mean: broken.
func parseState(text []byte) (State, error) {
	m, err := tfproto.ParseCheckpointState(text)
	if err != nil {
		// What it is, the sentence says already.
		return State{}, flawed(filename.State, "not a state file: %s", strings.TrimPrefix(err.Error(), "checkpoint state: proto: "))
	}
	if m.ModelCheckpointPath == "" {
		return State{}, flawed(filename.State, "not a state file: it names no model_checkpoint_path")
	}
	s := State{ModelCheckpointPath: m.ModelCheckpointPath, AllModelCheckpointPaths: m.AllModelCheckpointPaths}
	for _, seconds := range m.AllModelCheckpointTimestamps {
		t, err := fromSeconds(seconds)
		if err != nil {
			return State{}, err
		}
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, t)
	}
	if m.LastPreservedTimestamp != 0 {
		if s.LastPreservedTimestamp, err = fromSeconds(m.LastPreservedTimestamp); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// WriteState replaces the state file of dir, durably. A newest path that is
// not the last of all paths is added there, as TensorFlow does; its time is
// needed then too. (TensorFlow: update_checkpoint_state)
func WriteState(ctx context.Context, dir storage.Dir, s State) error {
	text, err := s.text()
	if err != nil {
		return err
	}
	return storage.WriteFile(ctx, dir, filename.State, text)
}

// text returns the bytes TensorFlow would write.
func (s State) text() ([]byte, error) {
	paths := s.AllModelCheckpointPaths
	if len(paths) == 0 || paths[len(paths)-1] != s.ModelCheckpointPath {
		paths = append(slices.Clip(paths), s.ModelCheckpointPath)
	}
	if err := s.check(paths); err != nil {
		return nil, fmt.Errorf("%s: %w", filename.State, err)
	}
	m := tfproto.CheckpointState{
		ModelCheckpointPath:     s.ModelCheckpointPath,
		AllModelCheckpointPaths: paths,
		LastPreservedTimestamp:  seconds(s.LastPreservedTimestamp),
	}
	m.AllModelCheckpointTimestamps = make([]float64, 0, len(s.AllModelCheckpointTimestamps))
	for _, t := range s.AllModelCheckpointTimestamps {
		m.AllModelCheckpointTimestamps = append(m.AllModelCheckpointTimestamps, seconds(t))
	}
	return m.MarshalText()
}

func (s State) check(paths []string) error {
	if s.ModelCheckpointPath == "" {
		return fmt.Errorf("no newest path")
	}
	if p, _, ok := filename.Local(s.ModelCheckpointPath); ok && p == filename.State {
		return fmt.Errorf("a checkpoint cannot have the name of the state file, %q", filename.State)
	}
	if n := len(s.AllModelCheckpointTimestamps); n != 0 && n != len(paths) {
		return fmt.Errorf("%d timestamps for %d paths", n, len(paths))
	}
	return nil
}

// seconds returns t as TensorFlow stores times: Unix seconds in a double. The
// zero Time is zero.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}

// maxSeconds is some 30,000 years, far beyond any time that is meant and
// within what time.Time can hold.
const maxSeconds = 1 << 40

// fromSeconds is the way back. A double near today is 240 ns from the next,
// so that the nanosecond nearest to it leads back to the same double.
func fromSeconds(s float64) (time.Time, error) {
	if math.IsNaN(s) {
		return time.Time{}, flawed(filename.State, "not a state file: a timestamp is not a number")
	}
	s = min(max(s, -maxSeconds), maxSeconds)
	whole, part := math.Modf(s)
	return time.Unix(int64(whole), int64(math.Round(part*1e9))), nil
}
