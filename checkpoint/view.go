package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// View reads the object graph of the checkpoint path, which is as Load's, and
// nothing else of it: what it holds, and, by Graph.Match and Graph.Diff, which
// of it a program's objects would get. A checkpoint without a graph, which
// TensorFlow 1 made, is an error that wraps format.ErrNoTensor.
// (TensorFlow: tf.train.CheckpointView)
func View(ctx context.Context, dir storage.Dir, path string) (*trackable.Graph, error) {
	r, err := Load(ctx, dir, path)
	if err != nil {
		return nil, fmt.Errorf("view %s: %w", path, err)
	}
	g, err := trackable.ReadGraph(r)
	if errors.Is(err, format.ErrNoTensor) {
		err = fmt.Errorf("not object-based, its variables have only names: %w", err)
	}
	if err = closing(r, err); err != nil {
		return nil, fmt.Errorf("view %s: %w", r.Path(), err)
	}
	return g, nil
}
