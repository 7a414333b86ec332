package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

func (a *app) verifyCommand() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify [PATH...]",
		Short: "Check every checksum of checkpoints",
		Long: `Read every tensor of the checkpoints and check it against its checksum. A
directory means all of its checkpoints; the current one if none is given.

With --quick no tensor is read: the sizes of the files are compared with index
and receipt, and the checksum of the index with the receipt. With --deep the
object graph is read, too, and has to name tensors that are there; all elements
are decoded; whole files are compared with the receipt; and of each tensor those
that are NaN or infinite are counted. They are told, and are no problem but with
--fail-nan.

With --subset 2/7 only the second of seven parts of the tensors is read, which
their names make, so that seven runs, one a day, read all of them.

Each problem is one line on standard error; the rest is checked all the same.
Then each checkpoint has its result on standard output: ok, corrupt, receipt
(the checkpoint is whole, and its receipt is damaged or about other files),
missing (a file is), unsupported or failed. The exit code is 3 if anything is
corrupt, a receipt too, and else 4 if anything is missing. What can be mended
'ckpt doctor --deep' says. What a training removes from a directory meanwhile is
left out.`,
		Example: `  ckpt verify run-1
  ckpt verify -q run-1/ckpt-7 && train --resume run-1/ckpt-7
  ckpt verify --deep --fail-nan run-1/ckpt-7
  ckpt verify --subset $(date +%u)/7 /checkpoints/*`,
		Args:              wantArgs(0, -1, "PATHs"),
		ValidArgsFunction: a.completePaths,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.parse(); err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"."}
			}
			return a.verify(c.Context(), args, o)
		},
	}
	c.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print only problems")
	c.Flags().BoolVar(&o.quick, "quick", false, "compare sizes and receipts, and read no tensor")
	c.Flags().BoolVar(&o.deep, "deep", false, "also read the object graph, decode all, and look for NaN")
	c.Flags().BoolVar(&o.failNaN, "fail-nan", false, "with --deep: NaN and infinite elements are a problem")
	c.Flags().StringVar(&o.subset, "subset", "", "read the `n/t`-th part of the tensors")
	return c
}

// verifyOptions are the flags.
type verifyOptions struct {
	quiet, quick, deep, failNaN bool

	subset string
	checkpoint.VerifyOptions
}

func (o *verifyOptions) parse() error {
	switch {
	case o.quick && o.deep:
		return &usageError{"verify: --quick and --deep are two depths", "give one of them"}
	case o.quick && o.subset != "":
		return &usageError{"verify: --quick reads no tensors, of which --subset could read a part", "give one of them"}
	case o.failNaN && !o.deep:
		return &usageError{"verify: --fail-nan is without --deep", "only --deep looks for NaN"}
	case o.quick:
		o.Depth = checkpoint.DepthQuick
	case o.deep:
		o.Depth = checkpoint.DepthDeep
	}
	if o.subset == "" {
		return nil
	}
	part, parts, ok := strings.Cut(o.subset, "/")
	var err1, err2 error
	o.Part, err1 = strconv.Atoi(part)
	o.Parts, err2 = strconv.Atoi(parts)
	if !ok || err1 != nil || err2 != nil || o.Part < 1 || o.Part > o.Parts {
		return &usageError{"verify: --subset " + o.subset + " is no part", "the second of seven is --subset 2/7"}
	}
	return nil
}

// verifyJSON has the problems of each checkpoint with it; Problems are those
// that belong to none: a state file's, or of a path that means nothing.
type verifyJSON struct {
	Schema      int            `json:"schema"`
	Checkpoints []verifiedJSON `json:"checkpoints"`
	Problems    []problemJSON  `json:"problems"`
	Hint        string         `json:"hint,omitempty"`
}

// verifiedJSON is the result of one checkpoint.
type verifiedJSON struct {
	Path     string        `json:"path"`
	Result   string        `json:"result"`
	Tensors  int           `json:"tensors"`
	Bytes    int64         `json:"bytes"`
	Problems []problemJSON `json:"problems"`
	// NonFinite is of --deep: tensors with NaN or infinite elements.
	NonFinite []nonFiniteJSON `json:"non_finite,omitempty"`

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

// nonFiniteJSON is a tensor with elements that are no numbers, and where the
// first of them is.
type nonFiniteJSON struct {
	Tensor string  `json:"tensor"`
	NaN    int64   `json:"nan"`
	Inf    int64   `json:"inf"`
	First  []int64 `json:"first"`
}

func (n nonFiniteJSON) String() string {
	var what []string
	if n.NaN > 0 {
		what = append(what, fmt.Sprintf("%d NaN", n.NaN))
	}
	if n.Inf > 0 {
		what = append(what, fmt.Sprintf("%d infinite", n.Inf))
	}
	return fmt.Sprintf("%s has %s, the first at %v", n.Tensor, strings.Join(what, " and "), tensor.Shape(n.First))
}

// nonFiniteOf returns what was found in a tensor of this shape.
func nonFiniteOf(v checkpoint.Verified, shape tensor.Shape) nonFiniteJSON {
	at, i := make([]int64, len(shape)), v.NonFinite.First
	for d := len(shape) - 1; d >= 0; d-- {
		at[d], i = i%shape[d], i/shape[d]
	}
	return nonFiniteJSON{v.Name, v.NonFinite.NaN, v.NonFinite.Inf, at}
}

// results names the exit code that the problems of a checkpoint amount to.
var results = map[int]string{
	exitOK: "ok", exitCorrupt: "corrupt", exitNotFound: "missing", exitUnsupported: "unsupported",
}

// resultReceipt is of a checkpoint that is whole, but for its receipt.
const resultReceipt = "receipt"

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
