package local_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/storagetest"
)

func TestPromises(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Dir { return local.Dir(t.TempDir()) })
}

func wantContent(t *testing.T, d storage.Dir, name, want string) {
	t.Helper()
	if got, err := storage.ReadFile(t.Context(), d, name); err != nil || string(got) != want {
		t.Errorf("ReadFile(%q) = %q, %v, want %q", name, got, err, want)
	}
}
