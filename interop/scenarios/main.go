// Command scenarios checks that every scenario of interop/scenarios.txt has a
// test, and every test named after one its scenario. It runs in the root of
// the repository, as `make scenarios` does.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdout, "."); err != nil {
		fmt.Fprintln(os.Stderr, "scenarios:", err)
		os.Exit(1)
	}
}

// run checks the repository at root.
func run(out io.Writer, root string) error {
	s, err := read(root)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d scenarios: %d with a test that it is as in TensorFlow, %d with a test of what we do instead, %d without a test\n",
		len(s.titles), s.tested()-s.differing(), s.differing(), len(s.titles)-s.tested())
	flaws := s.flaws()
	for _, f := range flaws {
		fmt.Fprintln(out, f)
	}
	if len(flaws) > 0 {
		return fmt.Errorf("%d of them to mend", len(flaws))
	}
	return nil
}
