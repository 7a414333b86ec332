package publish

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
)

// FuzzWhatWorkersTell: whatever another worker says of its tensors and files,
// there is a layout and an index, or an error.
func FuzzWhatWorkersTell(f *testing.F) {
	list := []sharding.Tensor{
		{Name: "v", DType: tensor.Float32, Shape: tensor.Shape{2}, Bytes: 8, Element: 4},
		{Name: "w", DType: tensor.Float32, Shape: tensor.Shape{1}, Slice: &tensor.Slice{Start: []int64{0}, Length: []int64{1}}, Full: tensor.Shape{2}, Bytes: 4, Element: 4},
		{Name: "_CHECKPOINTABLE_OBJECT_GRAPH", DType: tensor.String},
	}
	files := []written{{Number: 0, Files: 1, Shard: tensorbundle.Shard{Size: 8, Entries: []tensorbundle.Entry{{Name: "v", DType: tensor.Float32, Shape: tensor.Shape{2}, Size: 8}}}}}
	for _, seed := range []struct {
		lists [][]sharding.Tensor
		all   [][]written
	}{{[][]sharding.Tensor{list}, [][]written{files}}, {[][]sharding.Tensor{list, list}, [][]written{files, nil}}, {[][]sharding.Tensor{nil}, nil}} {
		lists, err := json.Marshal(seed.lists)
		if err != nil {
			f.Fatal(err)
		}
		all, err := json.Marshal(seed.all)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(lists, all)
	}
	f.Fuzz(func(t *testing.T, told, wrote []byte) {
		var lists [][]sharding.Tensor
		if json.Unmarshal(told, &lists) == nil && len(lists) > 0 {
			if dealt, err := deal(lists); err == nil {
				for _, p := range []sharding.Policy{sharding.ByWorker(), sharding.MaxShardSize(1 << 40)} {
					_, err := sharding.Split(p, dealt)
					ignore(err)
				}
			}
		}
		var all [][]written
		if json.Unmarshal(wrote, &all) == nil {
			if shards, err := collect(all); err == nil {
				var index strings.Builder
				ignore(tensorbundle.WriteIndex(&index, shards))
			}
		}
	})
}

// ignore is for errors that may be or not.
func ignore(error) {}
