package offheap

import (
	"runtime"
	"testing"
	"unsafe"
)

func TestMemoryBeginsAtAPageAndIsZero(t *testing.T) {
	for _, size := range []int{1, pageSize, 3<<20 + 5} {
		m, err := Alloc(size)
		if err != nil {
			t.Fatal(err)
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(m.Bytes))); at%pageSize != 0 || len(m.Bytes) != size || cap(m.Bytes) != size {
			t.Errorf("Alloc(%d) = %d bytes with room for %d at %x", size, len(m.Bytes), cap(m.Bytes), at)
		}
		for i := range m.Bytes {
			if m.Bytes[i] != 0 {
				t.Fatalf("byte %d of %d is %d, want 0", i, size, m.Bytes[i])
			}
			m.Bytes[i] = 1
		}
		if err := m.Free(); err != nil {
			t.Error(err)
		}
	}
}

func TestMemoryIsNotTheCollectors(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // elsewhere it is, so far
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Alloc(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("Alloc of 64 MiB took %d bytes of the heap", got)
	}
	if err := m.Free(); err != nil {
		t.Error(err)
	}
	if err := (Memory{}).Free(); err != nil {
		t.Error(err)
	}
}
