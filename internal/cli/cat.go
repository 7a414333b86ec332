package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// The formats of cat.
var catFormats = []string{"text", "json", "npy", "raw"}

type catOptions struct {
	format string
	all    bool
	output string
	force  bool
}

func (a *app) catCommand() *cobra.Command {
	var o catOptions
	c := &cobra.Command{
		Use:   "cat PATH NAME [REGION]",
		Short: "Print one tensor or a region of it",
		Long: `Print one tensor of a checkpoint, or a region of it, after checking its
checksum. NAME is a tensor's name, the path of its object, or the end of that.

A REGION has an item for each dimension, as in numpy: 0:10,5 is column 5 of the
first ten rows; -3: the last three. A single number drops its dimension.

Text shortens what is large, as numpy does; --all prints every element. npy is
numpy's own file format; of types numpy does not have it holds the bits, as
unsigned integers. raw is the bytes: little-endian, the last dimension fastest.`,
		Example: `  ckpt cat run-1 model/kernel
  ckpt cat run-1/ckpt-7 model/kernel 0:10,5
  ckpt cat run-1/ckpt-7 model/kernel --format npy -o kernel.npy
  ckpt cat run-1 _CHECKPOINTABLE_OBJECT_GRAPH --format raw | protoc --decode_raw`,
		Args:              wantArgs(2, 3, "PATH NAME [REGION]"),
		ValidArgsFunction: a.completeTensor,
		RunE: func(c *cobra.Command, args []string) error {
			args = append(args, "")
			return a.cat(c.Context(), args[0], args[1], args[2], o)
		},
	}
	c.Flags().StringVarP(&o.format, "format", "f", "text", strings.Join(catFormats, ", "))
	c.Flags().BoolVarP(&o.all, "all", "a", false, "print every element of a large tensor")
	c.Flags().StringVarP(&o.output, "output", "o", "", "write to `FILE` instead of standard output")
	c.Flags().BoolVar(&o.force, "force", false, "write npy or raw to a terminal")
	cobra.CheckErr(c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(catFormats, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (a *app) cat(ctx context.Context, path, name, regionText string, o catOptions) error {
	if a.json && o.format == "text" {
		o.format = "json"
	}
	if err := a.checkCat(o); err != nil {
		return err
	}
	part, err := parseRegion(regionText)
	if err != nil {
		return err
	}
	return a.withCheckpoint(ctx, path, func(r *opened) error {
		v, err := r.array(name, part, ctx.Err)
		if err != nil {
			return err
		}
		if o.output != "" {
			return toFile(ctx, o.output, func(w *bufio.Writer) error { return a.printArray(w, v, o) })
		}
		return a.printArray(a.out, v, o)
	})
}

// checkCat finds what is wrong with the flags before anything is read.
func (a *app) checkCat(o catOptions) error {
	if !slices.Contains(catFormats, o.format) {
		reason := fmt.Sprintf("cat: unknown format %q", o.format)
		return &usageError{reason, "--format is one of " + strings.Join(catFormats, ", ")}
	}
	binary := o.format == "npy" || o.format == "raw"
	if binary && a.screen.tty && o.output == "" && !o.force {
		reason := fmt.Sprintf("cat: %s is not for a terminal", o.format)
		return &usageError{reason, "write it to a file with -o FILE, or use --force"}
	}
	return nil
}

func (a *app) printArray(w *bufio.Writer, v *namedArray, o catOptions) error {
	switch o.format {
	case "npy":
		return a.printNpy(w, v)
	case "raw":
		return printRaw(w, v)
	case "json":
		return printArrayJSON(w, v)
	}
	if a.screen.tty && o.output == "" {
		title := fmt.Sprintf("%s  %v %v", printable(v.name), v.dtype, v.shape)
		fmt.Fprintln(w, a.screen.paint(dim, title))
	}
	return printText(w, &v.array, o.all)
}

func (a *app) printNpy(w *bufio.Writer, v *namedArray) error {
	header, err := npyHeader(v.dtype, v.shape)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", v.path, v.name, err)
	}
	if note := npyNote(v.dtype); note != "" {
		a.note(note)
	}
	_, _ = w.Write(header)
	return eachPiece(w, v, npyBytes)
}

// printRaw prints the bytes of the elements. Of strings it prints one: where
// one ends and the next begins would be lost.
func printRaw(w *bufio.Writer, v *namedArray) error {
	count, err := v.shape.NumElements()
	if err != nil {
		return err
	}
	if v.dtype.Size() == 0 && count != 1 {
		err := fmt.Errorf("%s: %s: raw: %d strings: %w: where one ends would be lost", v.path, v.name, count, format.ErrUnsupported)
		return hintf(err, "name one of them by its index, or use --format json")
	}
	return eachPiece(w, v, func(t tensor.Tensor) []byte {
		if elems, err := t.Strings(); err == nil {
			return []byte(elems[0])
		}
		return t.Bytes()
	})
}

// eachPiece writes what bytes makes of the elements of v.
func eachPiece(w *bufio.Writer, v *namedArray, bytes func(tensor.Tensor) []byte) error {
	for t, err := range v.pieces() {
		if err == nil {
			_, err = w.Write(bytes(t))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printArrayJSON prints the object by hand, so that the values stream.
func printArrayJSON(w *bufio.Writer, v *namedArray) error {
	fmt.Fprintf(w, `{"schema":%d,"path":%s,"name":%s,`, schema, marshal(v.path), marshal(v.name))
	if raw := rawName(v.name); raw != "" {
		fmt.Fprintf(w, `"name_base64":%s,`, marshal(raw))
	}
	fmt.Fprintf(w, `"dtype":%s,"shape":%s,"value":`, marshal(v.dtype.String()), v.shape)
	if err := printValues(w, &v.array); err != nil {
		return err
	}
	_, _ = w.WriteString("}\n")
	return nil
}
