package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/format"
)

func (a *app) verifyCommand() *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "verify [PATH...]",
		Short: "Check every checksum of checkpoints",
		Long: `Read every tensor of the checkpoints and check it against its checksum. A
directory means all of its checkpoints; the current one if none is given.

Each problem is one line on standard error; the rest is checked all the same.
Then each checkpoint has its result on standard output: ok, corrupt, missing (a
file is), unsupported or failed. The exit code is 3 if anything is corrupt. What a training
removes from a directory meanwhile is left out.`,
		Example: `  ckpt verify run-1
  ckpt verify -q run-1/ckpt-7 && train --resume run-1/ckpt-7`,
		Args:              wantArgs(0, -1, "PATHs"),
		ValidArgsFunction: a.completePaths,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return a.verify(c.Context(), args, quiet)
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only problems")
	return c
}

type verifyJSON struct {
	Schema      int            `json:"schema"`
	Checkpoints []verifiedJSON `json:"checkpoints"`
}

// verifiedJSON is the result of one checkpoint.
type verifiedJSON struct {
	Path     string        `json:"path"`
	Result   string        `json:"result"`
	Tensors  int           `json:"tensors"`
	Bytes    int64         `json:"bytes"`
	Problems []problemJSON `json:"problems"`

	err  error // the problems, joined
	gone bool  // it was removed while it was to be verified
}

// problemJSON is one problem. Part, offset and length are set for damage.
type problemJSON struct {
	Kind   string `json:"kind"`
	Error  string `json:"error"`
	Tensor string `json:"tensor,omitempty"`
	Part   string `json:"part,omitempty"`
	Offset *int64 `json:"offset,omitempty"`
	Length *int64 `json:"length,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// results names the exit code that the problems of a checkpoint amount to.
var results = map[int]string{
	exitOK: "ok", exitCorrupt: "corrupt", exitNotFound: "missing", exitUnsupported: "unsupported",
}

// resultOf returns what the problems of a checkpoint make it.
func resultOf(err error) string {
	if result, ok := results[exitCode(err)]; ok {
		return result
	}
	return "failed"
}

func problemOf(err error) problemJSON {
	p := problemJSON{Kind: kinds[exitCode(err)], Error: sentence(err), Hint: hintOf(err)}
	damage := new(format.CorruptError)
	if errors.As(err, &damage) {
		p.Tensor, p.Part, p.Offset = damage.Tensor, damage.Part, &damage.Offset
		if damage.Length > 0 {
			p.Length = &damage.Length
		}
	}
	return p
}
