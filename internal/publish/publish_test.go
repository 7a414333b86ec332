package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/arena"
	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
)

func two(t *testing.T, a, b float32) iter.Seq2[format.Named, error] {
	t.Helper()
	var list []format.Named
	for i, v := range []float32{a, b} {
		x, err := tensor.New(tensor.Shape{1}, []float32{v})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, format.Named{Name: fmt.Sprint("v", i), Tensor: x})
	}
	return sequence(list)
}

// told reads the receipts of these tests, which are nothing but the files.
func told(ctx context.Context, dir storage.Dir, path string) (files []shelf.File, err error) {
	text, err := storage.ReadFile(ctx, dir, filename.OfReceipt(path))
	if err == nil {
		err = json.Unmarshal(text, &files)
	}
	return files, err
}

func writing(dir storage.Dir, tensors iter.Seq2[format.Named, error]) *Writing {
	w := &Writing{Dir: dir, Path: "ckpt-7", Tensors: tensors, Log: slog.New(slog.DiscardHandler), Told: told}
	w.ReceiptText = func() ([]byte, error) { return json.Marshal(w.Wrote) }
	return w
}

func names(t *testing.T, dir storage.Dir) []string {
	t.Helper()
	var list []string
	if err := shelf.EachFile(t.Context(), dir, "", func(i storage.Info) { list = append(list, i.Name) }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func want(t *testing.T, dir storage.Dir, files ...string) {
	t.Helper()
	if got := names(t, dir); !slices.Equal(got, files) {
		t.Errorf("there are %q, want %q", got, files)
	}
	sets, err := shelf.Scan(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := shelf.IsDescribed(t.Context(), dir, sets["ckpt-7"], told); !ok || err != nil {
		t.Errorf("the receipt does not describe the files (%v)", err)
	}
}

const data, index, receipt = "ckpt-7.data-00000-of-00001", "ckpt-7.index", "ckpt-7.receipt.json"

func TestTheIndexIsLast(t *testing.T) {
	var lines []string
	dir := storage.WithTrace(mem.Dir(), func(line string) { lines = append(lines, line) })
	w := writing(dir, two(t, 1, 2))
	if err := w.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := lines[len(lines)-1], "commit "+receipt+" "+data+"; "+index; got != want {
		t.Errorf("the last is %q, want %q", got, want)
	}
	if w.Replaced() || len(w.Wrote) != 2 || w.Wrote[0].Size != 8 {
		t.Errorf("Replaced, Wrote = %v, %v, want false, 8 bytes and an index", w.Replaced(), w.Wrote)
	}
	want(t, dir, data, index, receipt)
}

func TestWhatWasThereIsReplaced(t *testing.T) {
	dir := mem.Dir()
	each := sharding.Func("each", func(all []sharding.Tensor) (shards []sharding.Shard, err error) {
		for _, t := range all {
			shards = append(shards, sharding.Shard{t})
		}
		return shards, nil
	})
	for i, policy := range []sharding.Policy{nil, each, nil} {
		w := writing(dir, two(t, float32(i), 2))
		w.Policy = policy
		if err := w.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.Replaced() != (i > 0) {
			t.Errorf("Replaced() = %v the %d. time", w.Replaced(), i+1)
		}
		if policy != nil {
			want(t, dir, "ckpt-7.data-00000-of-00002", "ckpt-7.data-00001-of-00002", index, receipt)
		} else {
			want(t, dir, data, index, receipt)
		}
	}
}

func TestFailureLeavesNothing(t *testing.T) {
	dir, broken := mem.Dir(), errors.New("broken")
	failing := func(yield func(format.Named, error) bool) {
		two(t, 1, 2)(yield)
		yield(format.Named{}, broken)
	}
	speechless := writing(dir, two(t, 1, 2))
	speechless.ReceiptText = func() ([]byte, error) { return nil, broken }
	for name, w := range map[string]*Writing{"tensors": writing(dir, failing), "receipt": speechless} {
		if err := w.Publish(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%s: Publish = %v, want %v", name, err, broken)
		}
		if got := names(t, dir); len(got) != 0 {
			t.Errorf("%s: there are %q, want none", name, got)
		}
	}
	w := writing(dir, two(t, 1, 2))
	w.Path = filename.State
	if err := w.Publish(t.Context()); err == nil {
		t.Error("Publish as the state file = nil, want an error")
	}
}

func TestNumberTakenMeanwhileIsRefused(t *testing.T) {
	dir := mem.Dir()
	w := writing(dir, two(t, 1, 2))
	if err := w.LookAgain(t.Context(), true); err != nil || !w.Free {
		t.Errorf("LookAgain = %v, Free %v, want true", err, w.Free)
	}
	if err := w.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.LookAgain(t.Context(), true); !errors.Is(err, fs.ErrExist) || w.Free {
		t.Errorf("LookAgain = %v, Free %v, want %v", err, w.Free, fs.ErrExist)
	}
	if err := w.LookAgain(t.Context(), false); err != nil || w.Free {
		t.Errorf("LookAgain = %v, Free %v, want a writing that looks for itself", err, w.Free)
	}
}

func TestSnapshotIsWrittenAsItWas(t *testing.T) {
	dir, value := mem.Dir(), []float32{1}
	x, err := tensor.New(tensor.Shape{1}, value)
	if err != nil {
		t.Fatal(err)
	}
	w := writing(dir, sequence([]format.Named{{Name: "v", Tensor: x}}))
	if err := w.Snapshot(t.Context(), Memory{Pool: arena.NewPool()}); err != nil {
		t.Fatal(err)
	}
	value[0] = 9
	if err := w.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := storage.ReadFile(t.Context(), dir, data); err != nil || string(got) != "\x00\x00\x80\x3f" {
		t.Errorf("the data are %x, %v, want those of 1", got, err)
	}
}

func TestWorkersPublishTogether(t *testing.T) {
	dir := mem.Dir()
	errs := make(chan error)
	for _, g := range coordinator.InProcess(2) {
		go func() {
			w := writing(dir, two(t, 1, 2))
			w.Crew = crew.New(g)
			var err error
			if w.Crew.Leads() {
				err = w.Crew.Finish(t.Context(), "", w.Publish(t.Context()))
			} else if _, err = w.Crew.Join(t.Context(), nil); err == nil {
				if err = w.PublishPart(t.Context(), nil); err == nil {
					_, err = w.Crew.Await(t.Context())
				}
			}
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	want(t, dir, "ckpt-7.data-00000-of-00002", "ckpt-7.data-00001-of-00002", index, receipt)
	both := ""
	for i := range 2 {
		text, err := storage.ReadFile(t.Context(), dir, fmt.Sprintf("ckpt-7.data-%05d-of-00002", i))
		if err != nil {
			t.Error(err)
		}
		both += string(text)
	}
	if len(both) != 8 || !strings.Contains(both, "\x00\x00\x80\x3f") {
		t.Errorf("together they wrote %x, want two values", both)
	}
}
