// Command gomlx saves and restores with GoMLX's own checkpoints, for the
// benchmarks: uncompressed, as compressed they take a hundred times longer.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

type training struct {
	data  *peer.Data
	store *model.Store
	// loaded is what the last load made: GoMLX restores into a store of its own.
	loaded *model.Store
}

func main() {
	t := &training{}
	err := peer.Serve(os.Stdin, os.Stdout, peer.Calls{
		"hello": hello,
		"make":  t.make,
		"save":  t.save,
		"spoil": t.spoil,
		"load":  t.load,
		"check": t.check,
		"small": t.small,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "gomlx:", err)
		os.Exit(1)
	}
}

func hello(peer.Request) (peer.Answer, error) {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == "github.com/gomlx/gomlx" {
			return peer.Answer{Version: m.Version}, nil
		}
	}
	return peer.Answer{}, errors.New("this program was built without GoMLX")
}

func (t *training) make(q peer.Request) (peer.Answer, error) {
	t.data, t.store = peer.Make(q.Tensors, q.Elements), model.NewStore()
	t.loaded = nil
	scope := t.store.RootScope()
	for i, v := range t.data.Values {
		scope.VariableWithValue(name(i), tensors.FromFlatDataAndDimensions(v, len(v)))
	}
	return peer.Answer{}, nil
}

func name(i int) string { return fmt.Sprintf("v%05d", i) }

func (t *training) save(q peer.Request) (peer.Answer, error) {
	return t.small(peer.Request{Dir: q.Dir, Saves: 1, Keep: 1})
}

func (t *training) small(q peer.Request) (peer.Answer, error) {
	h, err := checkpoint.Build(t.store).Dir(q.Dir).Keep(q.Keep).WithCompression(checkpoint.BinUncompressed).Done()
	if err != nil {
		return peer.Answer{}, err
	}
	for range q.Saves {
		if err := h.Save(); err != nil {
			return peer.Answer{}, err
		}
	}
	return peer.Answer{}, nil
}

func (t *training) spoil(peer.Request) (peer.Answer, error) {
	t.loaded = nil
	return peer.Answer{}, nil
}

func (t *training) load(q peer.Request) (peer.Answer, error) {
	t.loaded = model.NewStore()
	_, err := checkpoint.Load(t.loaded).Dir(q.Dir).Immediate().Done()
	return peer.Answer{}, err
}

func (t *training) check(peer.Request) (peer.Answer, error) {
	var values [][]float32
	for i := range t.data.Values {
		v := t.loaded.RootScope().GetVariable(name(i))
		if v == nil {
			return peer.Answer{}, fmt.Errorf("no variable %s", name(i))
		}
		value, err := v.Value()
		if err != nil {
			return peer.Answer{}, err
		}
		tensors.MustConstFlatData(value, func(flat []float32) { values = append(values, flat[:len(flat):len(flat)]) })
	}
	err := t.data.Check(values)
	values, t.loaded = nil, nil
	debug.FreeOSMemory() // or it would count as the next operation's
	return peer.Answer{}, err
}
