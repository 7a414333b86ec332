package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var replaceCases = []testCase{
	{"readers see the old file or the new one", oldOrNew},
	{"a Commit that is called off leaves the old file", calledOff},
	{"of many writers one wins whole", oneWins},
	{"the old file stays until Commit", oldStays},
}

func oldOrNew(t *testing.T, d storage.Dir) {
	contents := []string{strings.Repeat("a", 100), strings.Repeat("b", 200_000)}
	write(t, d, "state", contents[0])
	watch(t, func(ctx context.Context) error {
		got, err := storage.ReadFile(ctx, d, "state")
		if err != nil {
			return err
		}
		if s := string(got); s != contents[0] && s != contents[1] {
			return fmt.Errorf("a mixture of %d bytes", len(got))
		}
		return nil
	}, func() {
		for i := range 30 {
			write(t, d, "state", contents[(i+1)%2])
		}
	})
}

func calledOff(t *testing.T, d storage.Dir) {
	write(t, d, "state", "old")
	ctx, cancel := context.WithCancel(t.Context())
	p, err := d.Create(ctx, "state")
	must(t, err)
	_, err = p.Write([]byte("new"))
	must(t, err)
	cancel()
	if err := p.Commit(); err != context.Canceled {
		t.Errorf("Commit = %v, want %v itself", err, context.Canceled)
	}
	must(t, p.Discard())
	wantFile(t, d, "state", "old")
	wantList(t, d, "", "state")
}

func oneWins(t *testing.T, d storage.Dir) {
	var wg sync.WaitGroup
	var contents []string
	for i := range 8 {
		content := strings.Repeat(fmt.Sprint(i), 1000*(i+1))
		contents = append(contents, content)
		wg.Go(func() {
			if err := storage.WriteFile(t.Context(), d, "deep/down/state", []byte(content)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := storage.ReadFile(t.Context(), d, "deep/down/state")
	must(t, err)
	for _, want := range contents {
		if string(got) == want {
			return
		}
	}
	t.Errorf("file is a mixture of %d bytes", len(got))
}

func oldStays(t *testing.T, d storage.Dir) {
	write(t, d, "state", "old")
	p := create(t, d, "state", "new")
	wantFile(t, d, "state", "old")
	must(t, d.Remove(t.Context(), "state"))
	wantMissing(t, d, "state")
	must(t, p.Commit())
	wantFile(t, d, "state", "new")
	_, err := d.Open(t.Context(), "state/below")
	if err == nil || errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Open of a name below a file: error is %v, want one about the file", err)
	}
}
