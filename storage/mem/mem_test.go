package mem_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/storage/storagetest"
)

func TestPromises(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Dir { return mem.Dir() })
}
