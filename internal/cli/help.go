package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpCommand is cobra's but that an unknown topic is a usage error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Help about a command or a topic",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range root.Commands() {
				names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || c == nil || len(rest) > 0 {
				return unknownTopic(root, strings.Join(args, " "))
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

func unknownTopic(root *cobra.Command, topic string) error {
	hint := "run 'ckpt help'"
	if near := nearest(topic, commandNames(root), 3); len(near) > 0 {
		hint = "did you mean 'ckpt help " + strings.Join(near, "' or 'ckpt help ") + "'?"
	}
	return &usageError{fmt.Sprintf("no help about %q", topic), hint}
}

// topics are commands that do nothing but have a text: cobra lists them
// apart, under "Additional help topics".
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What ckpt's exit codes mean", Long: exitCodesText},
		{Use: "paths", Short: "How to name a checkpoint", Long: pathsText},
		{Use: "output", Short: "Tables, plain columns and JSON", Long: outputText},
		{Use: "environment", Short: "Environment variables ckpt looks at", Long: environmentText},
	}
}

const exitCodesText = `ckpt exits with

    0  ok
    1  failed: any other reason, such as permission denied or a full disk
    2  usage: the command line makes no sense
    3  corrupt: bytes are wrong; reading again will not help
    4  not found: no such file, checkpoint or tensor, or a shard is missing
    5  unsupported: well-formed, but not something ckpt can read or write
    6  not matched: the checkpoint and the objects to restore do not agree
  130  interrupted

Of several problems the first in the order 3, 5, 4, 6, 1 decides. A number
never changes its meaning. An error is one sentence on standard error; where
something can be done about it, a line that begins with "hint:" says what.`

const pathsText = `A PATH is one of

    run-1                               a directory: its latest checkpoint
                                        (ls and verify: all of them)
    run-1/ckpt-7                        a checkpoint
    run-1/ckpt-7.index                  any one of its files
    run-1/ckpt-7.data-00000-of-00002
    run-1/checkpoint                    TensorFlow's state file: its directory

The latest checkpoint is the one the state file names; where there is none,
the newest. Where run-1 is both a directory and a checkpoint, the checkpoint
is meant; write run-1/ for the directory.

A tensor NAME, for cat, is its full name, the path of its object
("model/kernel" for "model/kernel/.ATTRIBUTES/VARIABLE_VALUE"), or the end of
only one such path ("kernel").`

const outputText = `On a terminal ckpt prints tables, with ages and human sizes (1 MB is a million
bytes). In a pipe it prints one line for each row: columns separated by tabs,
without titles, sizes in bytes, times in RFC 3339. The columns are

    ls       name, step, time, bytes, shards, format, flags, metrics
    show     name, dtype, shape, bytes
    verify   result, checkpoint, tensors, bytes, problems
    runs     name, status, created, checkpoints, bytes, step, time, best, tags,
             from, metrics, params; with RUNs: field, "differs" or nothing, and
             a value for each

Names come from files: control characters and bytes that are not UTF-8 are
printed as Go escapes such as \x1b.

With --json ckpt prints one JSON object with "schema": 1. Fields may be added
under that number; one that changes or goes makes it 2. Errors are objects
too, on standard error: {"schema":1,"error":…,"exit":…,"kind":…,"hint":…}, and
so are notes, which do not change the exit code: {"schema":1,"note":…}. A name
that is not UTF-8 has U+FFFD for each bad byte, and beside it its exact bytes as
"name_base64". Numbers JSON does not have are the strings "NaN", "Infinity" and
"-Infinity"; a string tensor's element that is not UTF-8 is {"base64":…}; a
complex number is {"re":…,"im":…}.`

const environmentText = `NO_COLOR          any value: no colours
CLICOLOR=0        no colours
CLICOLOR_FORCE    any value but 0: colours, in a pipe too
CKPT_FORCE_TTY    any value: tables for people, in a pipe too
COLUMNS           the width of tables, where there is no terminal to ask`
