// Command bench measures saves and restores of this module and of others, side
// by side on one disk, and what the disk and the memory allow, right before and
// after each. docs/performance.md explains what it prints. It needs Linux, Go,
// and for most peers Python; it leaves nothing behind but Python environments
// in the cache directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// options are what the command line says.
type options struct {
	short   bool
	rounds  int // 0: as the plan has it
	scale   int
	peers   string
	layouts string
	json    string
	dir     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted") // and so are the processes that say they were killed
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		c := code(ctx, err)
		stop()
		os.Exit(c)
	}
}

func code(ctx context.Context, err error) int {
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case ctx.Err() != nil:
		return 130
	}
	return 1
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	plan, err := makePlan(o)
	if err != nil {
		return err
	}
	if err := roomFor(o.dir, plan.space()); err != nil {
		return err
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	err = b.run(ctx, plan)
	if len(b.report.samples) == 0 {
		return err
	}
	// What was measured before an interrupt was measured.
	b.report.write(stdout)
	if o.json != "" {
		err = errors.Join(err, b.report.writeJSON(o.json))
	}
	return err
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o, set := &options{}, flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&o.short, "short", false, "TensorFlow alone, one layout")
	set.IntVar(&o.rounds, "rounds", 0, "rounds of each measurement, instead of 5 on the first layout and 3 on the others")
	set.IntVar(&o.scale, "scale", 1, "divide the sizes by `n`, to try the benchmarks themselves")
	set.StringVar(&o.peers, "peers", "", "only these, separated by commas: "+strings.Join(peerNames(), ","))
	set.StringVar(&o.layouts, "layouts", "", "only these, separated by commas: "+strings.Join(layoutNames(), ","))
	set.StringVar(&o.json, "json", "", "write every measurement to `file`, too")
	set.StringVar(&o.dir, "dir", ".", "measure the disk of this `directory`")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 || o.scale < 1 || o.rounds < 0 {
		return nil, errors.New("see -help")
	}
	return o, nil
}
