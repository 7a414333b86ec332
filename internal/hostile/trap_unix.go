//go:build unix

package hostile

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// systemTraps are those that not every system has.
func systemTraps() []Trap {
	return []Trap{
		{"named pipe", func(path string) error { return syscall.Mkfifo(path, 0o666) }},
		{"socket", socket},
	}
}

// socket makes one that nobody listens to. Its name may be too long for a
// socket's address, so that it is made elsewhere.
func socket(path string) error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	short := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		return err
	}
	if err := os.Rename(short, path); err != nil {
		return err
	}
	return os.Remove(dir)
}
