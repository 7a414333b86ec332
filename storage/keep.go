package storage

import "io"

// Keeper is a Pending, or passes what it is given to one, that need not copy bytes
// which stay what they are. Call WriteKept instead of its method.
type Keeper interface {
	WriteKept(b []byte) (int, error)
}

// WriteKept is w.Write of bytes that stay what they are until what is written was
// published or discarded. What lies between b's length and its capacity is only
// written if it is given later, as bytes that follow.
func WriteKept(w io.Writer, b []byte) (int, error) {
	if k, ok := w.(Keeper); ok {
		return k.WriteKept(b)
	}
	return w.Write(b)
}
