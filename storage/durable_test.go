package storage_test

import (
	"context"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// plainest is a place without anything that a Dir may have besides, which
// tells how its files are published.
type plainest struct {
	storage.Dir
	how *[]string
}

func (d plainest) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := d.Dir.Create(ctx, name)
	return telling{p, name, d.how}, err
}

type telling struct {
	storage.Pending
	name string
	how  *[]string
}

func (p telling) Commit() error {
	*p.how = append(*p.how, "commit "+p.name)
	return p.Pending.Commit()
}

func (p telling) Publish() error {
	*p.how = append(*p.how, "publish "+p.name)
	return p.Pending.Commit()
}

// TestThePlainestPlaceIsMadeDurableToo: what it can do besides is not relied on.
//
// Proves D1.
func TestThePlainestPlaceIsMadeDurableToo(t *testing.T) {
	d := plainest{mem.Dir(), new([]string)}
	p, err := d.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.CommitAll(t.Context(), d, []storage.Pending{p}); err != nil {
		t.Fatal(err)
	}
	if err := storage.Link(t.Context(), d, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := storage.WriteFile(t.Context(), d, "c", nil); err != nil {
		t.Fatal(err)
	}
	if err := storage.WriteFileSoon(t.Context(), d, "d", nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"commit a", "commit b", "commit c", "publish d"}; !slices.Equal(*d.how, want) {
		t.Errorf("files were published by %q, want %q", *d.how, want)
	}
}
