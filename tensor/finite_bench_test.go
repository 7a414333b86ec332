package tensor_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
)

func BenchmarkFindNonFinite(b *testing.B) {
	data := make([]byte, 256<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		tensor.FindNonFinite(tensor.Float32, data)
	}
}
