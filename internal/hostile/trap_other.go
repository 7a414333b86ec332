//go:build !unix

package hostile

// systemTraps are those that not every system has.
func systemTraps() []Trap { return nil }
