// Command kill is the victim of the tests beside it: it saves and sweeps in a
// directory, says on its standard output what it does, and goes on until it is
// killed. Who kills it checks what is left against what it said.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
)

// main takes the directory, the rule's name, the seed of what is drawn, the
// number of the last save before, and after how many sessions of a manager to
// end, 0 for one that never ends.
func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("%d arguments, want directory, rule, seed, serial and sessions", len(args))
	}
	rule, ok := rules[args[1]]
	if !ok {
		return fmt.Errorf("no rule is called %q", args[1])
	}
	var numbers [3]uint64
	for i := range numbers {
		n, err := strconv.ParseUint(args[2+i], 10, 64)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	l := newLife(args[0], rule, numbers[0], numbers[1])
	l.endless = numbers[2] == 0
	for n := numbers[2]; ; n-- {
		if err := l.session(context.Background()); err != nil || n == 1 {
			return err
		}
	}
}
