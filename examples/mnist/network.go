package main

import (
	"crypto/sha256"
	"fmt"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the backend called "go"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// network is a perceptron of one hidden layer, and what trains it. Everything
// that training changes is in its store: weights, moments of Adam, step, and
// the random state that dropout draws from.
type network struct {
	store   *model.Store
	trainer *train.Trainer
	guess   *model.Exec
}

// newNetwork returns an untrained network. GoMLX's pure Go backend adds up in
// the same order on any number of cores, so that equal seeds give equal weights.
func newNetwork(seed uint64) (*network, error) {
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(int64(seed)); err != nil {
		return nil, err
	}
	adam := optimizer.Adam().LearningRate(0.002).Done()
	trainer := train.NewTrainer(backend, store, layersOf, loss.SparseCategoricalCrossEntropyLogits, adam, nil, nil)
	guess, err := model.NewExec(backend, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		return graph.ArgMax(layersOf(scope, nil, []*graph.Node{images})[0], -1)
	})
	return &network{store, trainer, guess}, err
}

// layersOf builds the network's graph: images in, the logits of ten digits out.
func layersOf(scope *model.Scope, _ any, images []*graph.Node) []*graph.Node {
	x := activation.Relu(layers.DenseWithBias(scope.In("hidden"), images[0], 128))
	x = layers.DropoutStatic(scope, x, 0.1)
	return []*graph.Node{layers.DenseWithBias(scope.In("output"), x, digits)}
}

// step returns how many batches the network was trained with.
func (n *network) step() int64 { return optimizer.GetGlobalStep(n.store) }

// train improves the network by one batch and returns the loss before.
func (n *network) train(b train.Batch) (float32, error) {
	metrics, err := n.trainer.TrainStep(b)
	if err != nil {
		return 0, err
	}
	return tensors.ToScalar[float32](metrics[0]), nil
}

// test returns how many of the digits the network reads correctly.
func (n *network) test(set dataSet) (int, error) {
	const batch = 1000
	correct := 0
	for start := 0; start < len(set.labels); start += batch {
		which := make([]int32, min(batch, len(set.labels)-start))
		for i := range which {
			which[i] = int32(start + i)
		}
		guesses, err := n.guess.Call(set.batch(which).Inputs[0])
		if err != nil {
			return 0, err
		}
		for i, guess := range tensors.MustCopyFlatData[int32](guesses[0]) {
			if guess == int32(set.labels[which[i]]) {
				correct++
			}
		}
	}
	return correct, nil
}

// digest returns a checksum of the weights' bits.
func (n *network) digest() (string, error) {
	sum := sha256.New()
	for v := range n.store.IterVariables() {
		if !v.Trainable {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return "", err
		}
		if err := value.ConstBytes(func(b []byte) { sum.Write(b) }); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}
