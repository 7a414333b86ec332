package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

// bench is a run. Everything it writes is below scratch.
type bench struct {
	scratch  string
	progress io.Writer
	limits   *limits
	ours     []string // the command that starts it
	report   *report
}

func newBench(ctx context.Context, o *options, progress io.Writer) (b *bench, err error) {
	// Orbax wants absolute paths.
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp(dir, "ckpt-bench-")
	if err != nil {
		return nil, err
	}
	b = &bench{scratch: scratch, progress: progress, report: newReport(dir, o)}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.limits, err = newLimits(scratch); err != nil {
		return nil, err
	}
	b.ours, err = build(ctx, b.bin(), "ours")
	return b, err
}

func (b *bench) bin() string { return filepath.Join(b.scratch, "bin") }

// close removes what was written.
func (b *bench) close() (err error) {
	if b.limits != nil {
		err = errors.Join(err, b.limits.close())
	}
	return errors.Join(err, os.RemoveAll(b.scratch))
}

// roomFor refuses to begin what the disk has no room for.
func roomFor(dir string, need int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if free := int64(s.Bavail) * s.Bsize; free < need {
		return fmt.Errorf("%s has %s free, and this needs %s: give another -dir", dir, gib(free), gib(need))
	}
	return nil
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

func (b *bench) run(ctx context.Context, p plan) error {
	defer b.report.end()
	for _, s := range p {
		if s.fastest > 0 {
			s.peers = append(slices.Clone(s.peers), b.report.fastest(s.fastest, s.peers)...)
		}
		if err := b.stage(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) stage(ctx context.Context, s stage) error {
	for _, kind := range s.peers {
		err := b.peer(ctx, s, kind)
		if err := ctx.Err(); err != nil {
			return errors.New("interrupted")
		}
		if errors.Is(err, errOurs) {
			return err
		}
		if err != nil {
			b.report.failed(s.layout.name, kind.name, err)
			fmt.Fprintln(b.progress, err)
		}
	}
	return nil
}

// errOurs is a fault of ours, or of this program, and ends the run. A peer's is
// a row of the table.
var errOurs = errors.New("ours")

// peer runs a peer beside ours through all that s asks for. Both are new
// processes: what came before makes no difference to either.
func (b *bench) peer(ctx context.Context, s stage, kind peerKind) (err error) {
	args, err := kind.command(ctx, b.bin(), b.progress)
	if err != nil {
		return fmt.Errorf("could not be installed: %w", err)
	}
	p, err := b.start(ctx, kind.name, args, s.layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	ours, err := b.start(ctx, "ckpt", b.ours, s.layout)
	if err != nil {
		return fmt.Errorf("%w: %w", errOurs, err)
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	pair := &pair{bench: b, layout: s.layout, ours: newSide(ours), theirs: newSide(p)}
	defer func() { err = errors.Join(err, pair.forget()) }()
	return pair.rounds(ctx, s)
}

// start starts a process and has it make its data.
func (b *bench) start(ctx context.Context, name string, args []string, l layout) (*process, error) {
	p, err := start(ctx, name, args)
	if err != nil {
		return nil, err
	}
	hello, err := p.call(peer.Request{Op: "hello"})
	if err == nil {
		b.report.versions[name] = hello.Version
		_, err = p.call(peer.Request{Op: "make", Tensors: l.tensors, Elements: l.elements})
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// compare is for sorting by a key.
func compare[T any, K cmp.Ordered](key func(T) K) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(key(a), key(b)) }
}
