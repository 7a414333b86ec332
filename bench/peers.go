package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
)

// buffered is the Go program that only writes and reads.
const buffered = "buffered"

// peerKind is a library that is measured beside ours.
type peerKind struct {
	name   string
	script string // in peers, run by Python; "": the Go program of that name
	needs  string // in peers: the packages; "": those of the tests against TensorFlow
}

func peerKinds() []peerKind {
	return []peerKind{
		{name: "tensorflow", script: "tensorflow_.py"}, // first: it is measured on every layout
		{name: "keras", script: "keras_.py"},
		{name: "torch", script: "torch_.py", needs: "torch.txt"},
		{name: "torch-dcp", script: "torch_dcp.py", needs: "torch.txt"},
		{name: "safetensors", script: "safetensors_.py", needs: "orbax.txt"},
		{name: "orbax", script: "orbax_.py", needs: "orbax.txt"},
		{name: "h5py", script: "h5py_.py"},
		{name: "numpy", script: "numpy_.py"},
		{name: "gomlx"},
		{name: buffered},
	}
}

func peerNames() (names []string) {
	for _, p := range peerKinds() {
		names = append(names, p.name)
	}
	return names
}

// command returns what starts the peer, after making what it needs.
func (p peerKind) command(ctx context.Context, bin string, progress io.Writer) ([]string, error) {
	if p.script == "" {
		return build(ctx, bin, p.name)
	}
	args := []string{filepath.Join("..", "interop", "venv.sh")}
	if p.needs != "" {
		args = append(args, filepath.Join("peers", p.needs))
	}
	python, err := output(ctx, progress, args...)
	if err != nil {
		return nil, err
	}
	return []string{strings.TrimSpace(string(python)), filepath.Join("peers", p.script)}, nil
}

// build builds a program of this module into bin.
func build(ctx context.Context, bin, name string) ([]string, error) {
	program := filepath.Join(bin, name)
	var said bytes.Buffer
	if _, err := output(ctx, &said, "go", "build", "-o", program, "./"+name); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, &said)
	}
	return []string{program}, nil
}

// output runs a command whose standard error goes to stderr.
func output(ctx context.Context, stderr io.Writer, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = stderr
	inGroup(cmd)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
