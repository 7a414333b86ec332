// Command ours saves and restores with package checkpoint, for the benchmarks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ckpt-dev/ckpt/bench/peer"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// training is a program with variables and nothing to do.
type training struct {
	data    *peer.Data
	objects checkpoint.Objects
	sync    *checkpoint.Checkpoint
	inPlace *checkpoint.Checkpoint
	async   *checkpoint.Checkpoint // its copies stay, as in a program that saves again and again
}

func main() {
	t := &training{}
	err := peer.Serve(os.Stdin, os.Stdout, peer.Calls{
		"hello": func(peer.Request) (peer.Answer, error) { return peer.Answer{Version: "this tree"}, nil },
		"make":  t.make,
		"save":  t.save,
		"spoil": t.spoil,
		"load":  t.load,
		"check": t.check,
		"async": t.saveAsync,
		"small": t.small,
		"loop":  t.loop,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func (t *training) make(q peer.Request) (peer.Answer, error) {
	t.data = peer.Make(q.Tensors, q.Elements)
	variables := trackable.NewList()
	for i, v := range t.data.Values {
		variables.Append(trackable.NewVariable(fmt.Sprintf("v%d", i), tensor.Shape{int64(len(v))}, v))
	}
	t.objects = checkpoint.Objects{"variables": variables}
	t.sync = checkpoint.New(nil, t.objects, nil)
	t.inPlace = checkpoint.New(nil, t.objects, &checkpoint.Options{InPlace: true})
	t.async = checkpoint.New(nil, t.objects, &checkpoint.Options{Async: &checkpoint.Async{}})
	return peer.Answer{}, nil
}

// save is durable when it returns: there is no other way.
func (t *training) save(q peer.Request) (peer.Answer, error) {
	_, err := t.sync.Save(context.Background(), local.Dir(q.Dir), "ckpt")
	return peer.Answer{}, err
}

func (t *training) spoil(peer.Request) (peer.Answer, error) {
	t.data.Spoil()
	return peer.Answer{}, nil
}

func (t *training) load(q peer.Request) (peer.Answer, error) {
	ctx, dir := context.Background(), local.Dir(q.Dir)
	path, err := checkpoint.Latest(ctx, dir)
	if err != nil {
		return peer.Answer{}, err
	}
	c := t.sync
	if q.InPlace {
		c = t.inPlace
	}
	status, err := c.Restore(ctx, dir, path)
	if err != nil {
		return peer.Answer{}, err
	}
	return peer.Answer{}, status.AssertConsumed()
}

func (t *training) check(peer.Request) (peer.Answer, error) {
	return peer.Answer{}, t.data.Check(t.data.Values)
}

func (t *training) saveAsync(q peer.Request) (peer.Answer, error) {
	ctx, start := context.Background(), time.Now()
	_, err := t.async.Save(ctx, local.Dir(q.Dir), "ckpt")
	stall := time.Since(start).Seconds()
	return peer.Answer{Stall: stall}, errors.Join(err, t.async.Sync(ctx))
}

// loop saves beside loops as asynchronous saves are, whose copy goes on its way
// while they compute.
func (t *training) loop(q peer.Request) (peer.Answer, error) {
	lost, err := peer.Lost(q.Loops, func() error {
		_, err := t.saveAsync(q)
		return err
	})
	return peer.Answer{Lost: lost}, err
}

func (t *training) small(q peer.Request) (peer.Answer, error) {
	ctx := context.Background()
	m, err := checkpoint.NewManager(ctx, checkpoint.New(nil, t.objects, nil), local.Dir(q.Dir), &checkpoint.ManagerOptions{MaxToKeep: q.Keep})
	if err != nil {
		return peer.Answer{}, err
	}
	for range q.Saves {
		if _, err := m.Save(ctx, nil); err != nil {
			return peer.Answer{}, errors.Join(err, m.Close(ctx))
		}
	}
	return peer.Answer{}, m.Close(ctx)
}
