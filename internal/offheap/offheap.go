// Package offheap has memory that the garbage collector does not know: large
// buffers that are made once and used again. Their size does not count for when
// the collector runs, and where the system has huge pages they are made of
// those, which a disk reads and writes faster than ordinary ones.
package offheap

// pageSize is what the system's direct input and output asks of addresses, at most.
const pageSize = 4096

// touch makes the system give b its memory now, and not when it is used first.
func touch(b []byte) {
	for i := 0; i < len(b); i += pageSize {
		b[i] = 0
	}
}
