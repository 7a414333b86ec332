// Package cli is the command ckpt: flags in, tables, JSON and exit codes out.
// It alone prints; the floors below return values and errors.
package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is one run of the command.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	out    *bufio.Writer // over stdout; flushed once, by Main
	screen screen        // what stdout is
	errs   screen        // what stderr is
	now    func() time.Time
	json   bool // --json
}

// Main runs the command with args (without the program's name) and returns
// its exit code. Cancelling ctx stops it, with exit code 130.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (exit int) {
	a := &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		out:    bufio.NewWriterSize(stdout, 64<<10),
		screen: screenOf(stdout, os.Getenv),
		errs:   screenOf(stderr, os.Getenv),
		now:    time.Now,
	}
	root := a.root()
	root.SetArgs(shieldNegative(args))
	err := root.ExecuteContext(ctx)
	if flushed := a.out.Flush(); err == nil {
		err = flushed
	}
	return a.finish(ctx, err)
}

// negative is a region that begins with a count from the end: "-3:".
var negative = regexp.MustCompile(`^-\d+[:,\d]*$`)

// shieldNegative keeps the flag parser from taking a region such as "-3:" for
// a flag, by a space before it, which the parser of regions ignores.
func shieldNegative(args []string) []string {
	shielded := make([]string, len(args))
	for i, arg := range args {
		if negative.MatchString(arg) {
			arg = " " + arg
		}
		shielded[i] = arg
	}
	return shielded
}

func (a *app) root() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "ckpt",
		Short: "List, show and verify TensorFlow checkpoints",
		Long: `ckpt lists, shows and verifies checkpoints in TensorFlow's formats, V2 and V1,
without TensorFlow.

A PATH is a directory (meaning its latest checkpoint), a checkpoint such as
run-1/ckpt-7, or any one of a checkpoint's files. See 'ckpt help paths'.`,
		Example: `  ckpt ls run-1
  ckpt show run-1
  ckpt cat run-1/ckpt-7 model/kernel 0:10,5
  ckpt verify run-1`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if version {
				return a.version()
			}
			return unknownCommand(c, args)
		},
		SilenceErrors:     true,
		SilenceUsage:      true,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.out)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{lowerFirst(err.Error()), helpHint(c)}
	})
	root.PersistentFlags().BoolVar(&a.json, "json", false, `print JSON, with "schema": 1; errors too`)
	root.Flags().BoolVar(&version, "version", false, "print the version of ckpt")
	root.AddCommand(a.lsCommand(), a.latestCommand(), a.showCommand(), a.catCommand(), a.verifyCommand(), a.runsCommand(), a.duCommand(), a.versionCommand())
	root.AddCommand(a.doctorCommand())
	root.AddCommand(a.pinCommand(), a.unpinCommand(), a.tagCommand(), a.untagCommand(), a.pruneCommand())
	root.AddCommand(topics()...)
	root.SetHelpCommand(helpCommand(root))
	strictCompletion(root)
	return root
}

// unknownCommand is what runs when no command was recognised.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	hint, self := helpHint(c), c.CommandPath()
	if exists(args[0]) || exists(args[0]+".index") {
		hint = fmt.Sprintf("did you mean 'ckpt show %s'? Else %s", args[0], hint)
	} else if near := nearest(args[0], commandNames(c), 3); len(near) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'? Else %s", self, strings.Join(near, "' or '"+self+" "), hint)
	}
	return &usageError{fmt.Sprintf("unknown command %q", args[0]), hint}
}

// strictCompletion makes of cobra's command completion, which answers an
// unknown shell with its help, one that says what is wrong.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Args, c.RunE = cobra.ArbitraryArgs, unknownCommand
		for _, shell := range c.Commands() {
			shell.Args = wantArgs(0, 0, "none")
		}
	}
}

// commandNames returns the names of c's commands and help topics.
func commandNames(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// helpHint says where the help of c is.
func helpHint(c *cobra.Command) string {
	if !c.HasParent() {
		return "run 'ckpt help'"
	}
	return "run 'ckpt help" + strings.TrimPrefix(c.CommandPath(), c.Root().Name()) + "'"
}

// wantArgs checks the number of arguments; max -1 is any number. what names
// them for the sentence, as in the command's Use line.
func wantArgs(min, max int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= min && (max < 0 || len(args) <= max) {
			return nil
		}
		reason := fmt.Sprintf("%s: got %s, want %s", c.Name(), count(len(args), "argument"), what)
		return &usageError{reason, helpHint(c)}
	}
}

// lowerFirst makes pflag's sentences ones of ours.
func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
