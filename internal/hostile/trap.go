package hostile

import (
	"os"
	"path/filepath"
)

// Trap is something in a directory that is not what its name says.
type Trap struct {
	Name string
	Set  func(path string) error
}

// Traps are those that can be set here. Their links lead to the tree around
// the directory.
func (g *Ground) Traps() []Trap {
	link := func(name, to string) Trap {
		return Trap{name, func(path string) error { return os.Symlink(to, path) }}
	}
	traps := []Trap{
		link("link to a file outside", filepath.Join(g.Outside, "secret")),
		link("relative link to a checkpoint outside", "../outside/ckpt-1.index"),
		link("link to a missing file outside", filepath.Join(g.Outside, "missing")),
		link("link to a directory outside", g.Outside),
		{"link to itself", func(path string) error { return os.Symlink(filepath.Base(path), path) }},
		link("link through a file", filepath.Join(g.Outside, "secret", "below")),
		link("link to the directory", "."),
		link("link to an endless file", "/dev/zero"),
		link("link to a file without an end", "/dev/random"),
		{"directory", func(path string) error { return os.Mkdir(path, 0o777) }},
		{"sparse file", sparse},
		{"empty file", func(path string) error { return os.WriteFile(path, nil, 0o666) }},
	}
	return append(traps, systemTraps()...)
}

// sparse makes a file that claims 64 MiB and has no byte of it.
func sparse(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = f.Truncate(64 << 20)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
