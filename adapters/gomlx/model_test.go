package gomlx_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/adapters/gomlx"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/metric"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// file is a checkpoint in memory.
type file struct {
	tensors map[string]tensor.Tensor
	order   []string
	broken  string // reading this one fails
}

func (f *file) Names() []string { return f.order }

func (f *file) Info(name string) (format.Info, error) {
	t, ok := f.tensors[name]
	if !ok {
		return format.Info{}, format.ErrNoTensor
	}
	return format.Info{DType: t.DType(), Shape: t.Shape()}, nil
}

func (f *file) Tensor(name string) (tensor.Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return t, format.ErrNoTensor
	}
	if name == f.broken {
		return t, &format.CorruptError{Part: "data", Tensor: name, Reason: "broken by the test"}
	}
	return t, nil
}

// save returns what a checkpoint of m holds.
func save(t *testing.T, m *gomlx.Model) *file {
	t.Helper()
	f := &file{tensors: map[string]tensor.Tensor{}}
	for named, err := range trackable.Save(m, nil) {
		if err != nil {
			t.Fatal(err)
		}
		f.tensors[named.Name] = named.Tensor.Clone()
		f.order = append(f.order, named.Name)
	}
	return f
}

func restore(t *testing.T, m *gomlx.Model, f *file) *trackable.LoadStatus {
	t.Helper()
	status, err := trackable.Restore(m, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

const suffix = "/.ATTRIBUTES/VARIABLE_VALUE"

func create(t *testing.T, store *model.Store, path string, value any) *model.Variable {
	t.Helper()
	v, err := store.CreateVariable(path, tensors.MustFromAnyValue(value))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// network is a small model with everything that has a state: dropout draws
// random numbers, Adam has moments, the accuracy is a metric.
type network struct {
	store   *model.Store
	model   *gomlx.Model
	trainer *train.Trainer
}

func newNetwork(t *testing.T, hidden int) *network {
	t.Helper()
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	layersOf := func(scope *model.Scope, _ any, inputs []*graph.Node) []*graph.Node {
		x := graph.Tanh(dense(scope.In("hidden"), inputs[0], hidden))
		x = layers.DropoutStatic(scope, x, 0.3)
		return []*graph.Node{dense(scope.In("output"), x, 2)}
	}
	accuracy := metric.NewMovingAverageSparseCategoricalAccuracy("accuracy", "acc", 0.1)
	trainer := train.NewTrainer(backend, store, layersOf, loss.SparseCategoricalCrossEntropyLogits,
		optimizer.Adam().Done(), []metric.Interface{accuracy}, nil)
	return &network{store, gomlx.New(store, nil), trainer}
}

// dense is layers.DenseWithBias without a matrix multiplication: the backend's
// does pointer arithmetic that go test -race refuses.
func dense(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
	inputs := x.Shape().Dimensions[1]
	weights := scope.VariableWithShape("weights", shapes.Make(dtypes.Float32, inputs, outputs)).NodeValue(x)
	biases := scope.VariableWithShape("biases", shapes.Make(dtypes.Float32, 1, outputs)).NodeValue(x)
	products := graph.Mul(graph.ExpandAxes(x, 2), graph.ExpandAxes(weights, 0))
	return graph.Add(graph.ReduceSum(products, 1), biases)
}

func (n *network) train(steps int) error {
	for range steps {
		inputs := tensors.FromValue([][]float32{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}})
		labels := tensors.FromValue([][]int32{{0}, {1}, {0}, {1}})
		batch := train.Batch{Inputs: []*tensors.Tensor{inputs}, Labels: []*tensors.Tensor{labels}}
		if _, err := n.trainer.TrainStep(batch); err != nil {
			return err
		}
	}
	return nil
}

func mustTrain(t *testing.T, n *network, steps int) {
	t.Helper()
	if err := n.train(steps); err != nil {
		t.Fatal(err)
	}
}

// same reports the first difference of two checkpoints' tensors.
func same(t *testing.T, got, want *file) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got.tensors)), slices.Sorted(maps.Keys(want.tensors)); !slices.Equal(g, w) {
		t.Fatalf("tensors =\n%s\nwant\n%s", strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
	for name, w := range want.tensors {
		if g := got.tensors[name]; !g.Equal(w) {
			t.Errorf("%s = %v, want %v", name, g, w)
		}
	}
}

func TestEveryVariableButTheMetricsIsSavedUnderItsPath(t *testing.T) {
	n := newNetwork(t, 4)
	mustTrain(t, n, 1)
	want := []string{
		"#rngState", "AdamOptimizer/hidden/biases_1st_moment", "AdamOptimizer/hidden/biases_2nd_moment",
		"AdamOptimizer/hidden/weights_1st_moment", "AdamOptimizer/hidden/weights_2nd_moment",
		"AdamOptimizer/output/biases_1st_moment", "AdamOptimizer/output/biases_2nd_moment",
		"AdamOptimizer/output/weights_1st_moment", "AdamOptimizer/output/weights_2nd_moment",
		"AdamOptimizer/step", "global_step", "hidden/biases", "hidden/weights",
		"optimizers/learning_rate", "output/biases", "output/weights",
	}
	var got []string
	for name := range save(t, n.model).tensors {
		if path, ok := strings.CutSuffix(name, suffix); ok {
			got = append(got, path)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("saved =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTrainingGoesOnBitForBitAfterARestoreBeforeTheModelIsBuilt(t *testing.T) {
	n := newNetwork(t, 4)
	mustTrain(t, n, 3)
	half := save(t, n.model)
	mustTrain(t, n, 3)

	fresh := newNetwork(t, 4)
	status := restore(t, fresh.model, half)
	mustTrain(t, fresh, 3)
	if err := status.AssertConsumed(); err != nil {
		t.Error(err)
	}
	if err := status.AssertExistingObjectsMatched(); err != nil {
		t.Error(err)
	}
	same(t, save(t, fresh.model), save(t, n.model))
}

func TestTrainingGoesOnBitForBitAfterARestoreIntoABuiltModel(t *testing.T) {
	n := newNetwork(t, 4)
	mustTrain(t, n, 3)
	half := save(t, n.model)
	mustTrain(t, n, 3)
	want := save(t, n.model)

	if err := restore(t, n.model, half).AssertConsumed(); err != nil {
		t.Error(err)
	}
	mustTrain(t, n, 3)
	same(t, save(t, n.model), want)
}

func TestTheNewerOfTwoRestoresReachesAVariableCreatedLater(t *testing.T) {
	store := model.NewStore()
	a := create(t, store, "/scope/a", float32(1))
	m := gomlx.New(store, nil)
	one := save(t, m)
	if err := a.SetValue(tensors.FromScalar(float32(2))); err != nil {
		t.Fatal(err)
	}
	two := save(t, m)

	store = model.NewStore()
	m = gomlx.New(store, nil)
	restore(t, m, one)
	restore(t, m, two)
	if got := create(t, store, "/scope/a", float32(0)).MustValue().Value(); got != float32(2) {
		t.Errorf("a = %v, want 2", got)
	}
}

func TestAnotherShapeOrDTypeIsRefusedBeforeAnythingChanges(t *testing.T) {
	store := model.NewStore()
	create(t, store, "/a", []float32{1, 2})
	create(t, store, "/dense/weights", []float32{1, 2})
	saved := save(t, gomlx.New(store, nil))
	for want, value := range map[string]any{"float32 [3]": []float32{0, 0, 0}, "int32 [2]": []int32{0, 0}} {
		store := model.NewStore()
		a := create(t, store, "/a", []float32{0, 0})
		create(t, store, "/dense/weights", value)
		_, err := trackable.Restore(gomlx.New(store, nil), saved, nil)
		want := "dense.weights: dense/weights/.ATTRIBUTES/VARIABLE_VALUE: checkpoint has float32 [2], object wants " + want
		if !errors.Is(err, trackable.ErrNotMatched) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("Restore = %v, want %s", err, want)
		}
		if got := fmt.Sprint(a.MustValue().Value()); got != "[0 0]" {
			t.Errorf("a = %v after a restore that failed, want [0 0]", got)
		}
	}
}

func TestAnotherShapeOfAVariableStillToBeCreatedFailsTheStep(t *testing.T) {
	n := newNetwork(t, 4)
	mustTrain(t, n, 1)
	wide := newNetwork(t, 5)
	restore(t, wide.model, save(t, n.model))
	err := wide.train(1)
	if err == nil || !strings.Contains(err.Error(), "/hidden/weights") {
		t.Errorf("TrainStep = %v, want an error that names /hidden/weights", err)
	}
}

func TestAValueThatCannotBeReadWhenItsVariableIsCreatedFailsTheStep(t *testing.T) {
	n := newNetwork(t, 4)
	mustTrain(t, n, 1)
	saved := save(t, n.model)
	saved.broken = "hidden/biases" + suffix
	fresh := newNetwork(t, 4)
	status := restore(t, fresh.model, saved)
	if err := fresh.train(1); err == nil || !strings.Contains(err.Error(), "/hidden/biases") {
		t.Errorf("TrainStep = %v, want an error that names /hidden/biases", err)
	}
	if err := status.Err(); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Err() = %v, want %v", err, format.ErrCorrupt)
	}
}

func TestADeletedVariableDoesNotComeBack(t *testing.T) {
	store := model.NewStore()
	create(t, store, "/a", float32(1))
	create(t, store, "/b", float32(1))
	m := gomlx.New(store, nil)
	saved := save(t, m)
	if err := store.DeleteVariable("/a"); err != nil {
		t.Fatal(err)
	}
	if got := save(t, m).tensors; got["a"+suffix].NumElements() != 0 || got["b"+suffix].NumElements() != 1 {
		t.Errorf("saved = %v, want b and not a", got)
	}

	restore(t, m, saved)
	if err := store.DeleteVariable("/a"); err != nil { // before it is created
		t.Fatal(err)
	}
	if got := create(t, store, "/a", float32(7)).MustValue().Value(); got != float32(7) {
		t.Errorf("a = %v, want 7", got)
	}
}

func TestEqualStoresGiveEqualFiles(t *testing.T) {
	store, reversed := model.NewStore(), model.NewStore()
	paths := []string{"/b/x", "/a", "/b/a", "/c/d/e"}
	for i, path := range paths {
		create(t, store, path, path[1])
		last := paths[len(paths)-1-i]
		create(t, reversed, last, last[1])
	}
	for _, s := range []*model.Store{store, reversed} {
		if err := s.SetRNGStateFromSeed(1); err != nil {
			t.Fatal(err)
		}
	}
	a, b := save(t, gomlx.New(store, nil)), save(t, gomlx.New(reversed, nil))
	if !slices.Equal(a.order, b.order) {
		t.Errorf("order = %v, want %v", b.order, a.order)
	}
	same(t, b, a)
}

func TestSkipDecidesWhatIsSavedAndRestored(t *testing.T) {
	store := model.NewStore()
	create(t, store, "/a", float32(1))
	create(t, store, "/b", float32(1))
	saved := save(t, gomlx.New(store, nil))

	store = model.NewStore()
	m := gomlx.New(store, &gomlx.Options{Skip: func(path string) bool { return path == "/a" }})
	restore(t, m, saved)
	for path, want := range map[string]float32{"/a": 0, "/b": 1} {
		if got := create(t, store, path, float32(0)).MustValue().Value(); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if _, ok := save(t, m).tensors["a"+suffix]; ok {
		t.Error("a was saved")
	}
}

// answer is a loader that knows one variable.
type answer struct{ path string }

func (a answer) LoadVariable(_ *model.Store, path string) (*tensors.Tensor, bool) {
	return tensors.FromScalar(float32(42)), path == a.path
}

func (a answer) DeleteVariable(*model.Store, string) error { return errors.New("asked to delete") }

func TestALoaderThatWasThereBeforeIsAskedFirst(t *testing.T) {
	store := model.NewStore()
	create(t, store, "/a", float32(1))
	create(t, store, "/b", float32(1))
	saved := save(t, gomlx.New(store, nil))

	store = model.NewStore()
	store.SetLoader(answer{"/a"})
	restore(t, gomlx.New(store, nil), saved)
	for path, want := range map[string]float32{"/a": 42, "/b": 1} {
		if got := create(t, store, path, float32(0)).MustValue().Value(); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if err := store.DeleteVariable("/a"); err == nil {
		t.Error("DeleteVariable did not reach the loader before")
	}
}
