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
