// Command mnist trains a small network to read handwritten digits, and saves
// a checkpoint now and then. Interrupt it, or kill it, and start it again: it
// goes on where the newest checkpoint was and ends with the same weights, to
// the bit, as if nothing had happened.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ckpt-dev/ckpt/adapters/gomlx"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

const batchSize = 128

// settings are the command's flags.
type settings struct {
	dir   string
	data  string
	steps int64
	every int64
	seed  uint64
}

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "mnist-checkpoints", "`directory` of the checkpoints")
	flag.StringVar(&s.data, "data", "", "`directory` of MNIST's four files (default: that of the module which ships them)")
	flag.Int64Var(&s.steps, "steps", 2340, "train on so many batches of 128 digits; 468 are an epoch")
	flag.Int64Var(&s.every, "every", 200, "save a checkpoint each so many `steps`")
	flag.Uint64Var(&s.seed, "seed", 1, "of weights, dropout and shuffling; a resumed training keeps its own")
	flag.Parse()
	if flag.NArg() > 0 || s.steps < 1 || s.every < 1 {
		fmt.Fprintln(os.Stderr, "mnist takes flags only, and -steps and -every of 1 or more")
		flag.Usage()
		os.Exit(2)
	}

	err := run(context.Background(), s)
	if stop := (*stopped)(nil); errors.As(err, &stop) {
		fmt.Println(err)
		os.Exit(128 + int(stop.by)) // as shells count: 130 after Ctrl-C
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mnist:", err)
		os.Exit(1)
	}
}

// run trains the network from where the newest checkpoint is, and tests it.
func run(ctx context.Context, s settings) (err error) {
	training, test, err := loadDigits(s.data)
	if err != nil {
		return err
	}
	net, err := newNetwork(s.seed)
	if err != nil {
		return err
	}
	order := newShuffle(len(training.labels), s.seed)

	// Whatever the next step depends on belongs into the checkpoint.
	orderState, err := trackable.Struct(order)
	if err != nil {
		return err
	}
	state := checkpoint.New(nil, checkpoint.Objects{"network": gomlx.New(net.store, nil), "order": orderState}, nil)
	manager, err := checkpoint.NewManager(ctx, state, local.Dir(s.dir), &checkpoint.ManagerOptions{
		MaxToKeep:   3,
		StepCounter: net.step, // for `ckpt ls` to show
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	defer func() { err = errors.Join(err, manager.Close(ctx)) }()

	if err := resume(ctx, s, net, manager); err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	if err := fit(ctx, s, net, training, order, manager); err != nil {
		return err
	}
	return report(net, test)
}

// resume restores the newest checkpoint, if there is one, and says so. The
// manager refuses one of another program, which lacks our values.
func resume(ctx context.Context, s settings, net *network, m *checkpoint.Manager) error {
	path, err := m.RestoreOrInitialize(ctx)
	if errors.Is(err, trackable.ErrNotMatched) {
		return fmt.Errorf("%w; name another directory with -dir", err)
	}
	if err != nil {
		return err
	}
	switch done := net.step(); {
	case path == "":
		fmt.Printf("training for %d steps; checkpoints go to %s\n", s.steps, s.dir)
	case done < s.steps:
		fmt.Printf("resumed from %s at step %d of %d\n", path, done, s.steps)
	default:
		fmt.Printf("training is complete: %s is at step %d\n", path, done)
	}
	return nil
}

// fit trains up to the last step, unless a signal stops it before.
func fit(ctx context.Context, s settings, net *network, set dataSet, order *shuffle, m *checkpoint.Manager) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	show := newProgress(s.steps)
	for step := net.step(); step < s.steps; {
		loss, err := net.train(set.batch(order.deal(batchSize)))
		if err != nil {
			return err
		}
		step++
		show.trained(step, loss)

		stop := received(signals)
		if stop == nil && step%s.every != 0 && step != s.steps {
			continue
		}
		path, err := m.Save(ctx, &checkpoint.SaveOptions{Metrics: map[string]float64{"loss": float64(loss)}})
		if err != nil {
			return err
		}
		show.saved(step, path)
		if stop != nil {
			return stop
		}
	}
	return nil
}

// report prints how many digits the network reads that it never saw.
func report(net *network, test dataSet) error {
	correct, err := net.test(test)
	if err != nil {
		return err
	}
	digest, err := net.digest()
	if err != nil {
		return err
	}
	total := len(test.labels)
	fmt.Printf("test accuracy %.2f %% (%d of %d digits)\n", 100*float64(correct)/float64(total), correct, total)
	fmt.Printf("weights %s\n", digest) // equal for equal -seed and -steps
	return nil
}

// stopped is the error of a training that a signal ended; nothing is lost.
type stopped struct{ by syscall.Signal }

func (s *stopped) Error() string { return fmt.Sprintf("%v: run again to go on", s.by) }

// received returns nil if there was no signal.
func received(signals chan os.Signal) error {
	select {
	case by := <-signals:
		signal.Stop(signals) // a second one ends the program at once
		return &stopped{by.(syscall.Signal)}
	default:
		return nil
	}
}
