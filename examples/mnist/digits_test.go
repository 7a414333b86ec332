package main

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// saved is a checkpoint in memory.
type saved map[string]tensor.Tensor

func (s saved) Names() []string { return slices.Sorted(maps.Keys(s)) }

func (s saved) Info(name string) (format.Info, error) {
	t, err := s.Tensor(name)
	return format.Info{DType: t.DType(), Shape: t.Shape()}, err
}

func (s saved) Tensor(name string) (tensor.Tensor, error) {
	if t, ok := s[name]; ok {
		return t, nil
	}
	return tensor.Tensor{}, format.ErrNoTensor
}

func TestARestoredShuffleDealsWhatTheSavedOneWouldHave(t *testing.T) {
	for before := range 9 { // an epoch of 10 numbers has three deals of 3
		order := newShuffle(10, 1)
		for range before {
			order.deal(3)
		}
		file := saved{}
		for named, err := range trackable.Save(object(t, order), nil) {
			if err != nil {
				t.Fatal(err)
			}
			file[named.Name] = named.Tensor.Clone()
		}
		resumed := newShuffle(10, 2)
		status, err := trackable.Restore(object(t, resumed), file, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(status.AssertConsumed(), status.AssertExistingObjectsMatched()); err != nil {
			t.Error(err)
		}
		for i := range 8 {
			if got, want := resumed.deal(3), order.deal(3); !slices.Equal(got, want) {
				t.Errorf("saved after %d deals: deal %d = %v, want %v", before, i, got, want)
			}
		}
	}
}

func object(t *testing.T, s *shuffle) trackable.Object {
	t.Helper()
	o, err := trackable.Struct(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAnEpochDealsNoNumberTwice(t *testing.T) {
	order := newShuffle(12, 1)
	first := slices.Concat(order.deal(4), order.deal(4), order.deal(4))
	second := slices.Concat(order.deal(4), order.deal(4), order.deal(4))
	if slices.Equal(first, second) {
		t.Errorf("two epochs = %v, want two orders", first)
	}
	for _, epoch := range [][]int32{first, second} {
		if got := slices.Sorted(slices.Values(epoch)); got[0] != 0 || got[11] != 11 || len(slices.Compact(got)) != 12 {
			t.Errorf("epoch = %v, want each of 0 to 11 once", got)
		}
	}
}

func TestTheDigitsAreFoundWhereGoKeepsTheirModule(t *testing.T) {
	training, test, err := loadDigits("")
	if err != nil {
		t.Fatal(err)
	}
	if len(training.images) != 60000 || len(test.labels) != 10000 {
		t.Errorf("loadDigits = %d and %d digits, want 60000 and 10000", len(training.images), len(test.labels))
	}
	if _, _, err := loadDigits(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("loadDigits(an empty directory) = %v, want %v", err, fs.ErrNotExist)
	}
}
