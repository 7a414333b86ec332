// Command ckpt lists, shows and verifies TensorFlow checkpoints.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
