package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

// target is one checkpoint to verify.
type target struct {
	place
	size   int64 // bytes to read, for the progress
	listed bool  // nobody asked for it by name: a training may remove it meanwhile
}

// findTargets returns the checkpoints that paths mean, and why some mean none.
func findTargets(ctx context.Context, paths []string) (targets []target, failed []error) {
	for _, path := range paths {
		found, err := targetsOf(ctx, path)
		if err != nil {
			failed = append(failed, err)
		}
		targets = append(targets, found...)
	}
	return targets, failed
}

func targetsOf(ctx context.Context, path string) ([]target, error) {
	p, err := locate(path)
	if err != nil {
		return nil, err
	}
	list, err := p.list(ctx)
	if p.path != "" {
		return []target{p.target(list)}, nil
	}
	if state := p.stateError(ctx); state != nil {
		err = errors.Join(err, hintf(state, "it only says which checkpoint is the latest: 'ckpt doctor %s' says what it should, and with --fix writes it anew", p.root))
	}
	var targets []target
	for _, l := range list {
		t := p.at(l.Path).target(list)
		t.listed = true
		targets = append(targets, t)
	}
	return targets, err
}

func (p place) at(path string) place {
	p.path = path
	return p
}

// target looks for p in the listing of its directory, by the path of the
// checkpoint or by one of its files, so that also one that cannot be opened
// has its name. What is not there has no size, and the progress shows less.
func (p place) target(list []checkpoint.Listing) target {
	for _, path := range []string{p.path, checkpointOf(p.path)} {
		for _, l := range list {
			if l.Path == path {
				return target{place: p.at(path), size: l.Size}
			}
		}
	}
	return target{place: p}
}

// checkpointOf returns the path of the checkpoint that a file of this name
// belongs to.
func checkpointOf(file string) string {
	for _, suffix := range []string{tensorbundle.IndexName(""), checkpoint.ReceiptName("")} {
		if path, ok := strings.CutSuffix(file, suffix); ok {
			return path
		}
	}
	if path, _, _, ok := tensorbundle.ParseDataName(file); ok {
		return path
	}
	return file
}

// verify goes on after a problem, so that one run tells all of them.
func (a *app) verify(ctx context.Context, paths []string, o verifyOptions) error {
	targets, failed := findTargets(ctx, paths)
	for _, err := range failed {
		a.tell(err)
	}
	return a.verifyAll(ctx, targets, failed, o)
}

func (a *app) verifyAll(ctx context.Context, targets []target, failed []error, o verifyOptions) error {
	var total int64
	for _, t := range targets {
		total += t.size / int64(max(o.Parts, 1))
	}
	p := a.startProgress(total, o.quiet || o.quick)
	defer p.close()
	list := verifyJSON{Schema: schema, Checkpoints: []verifiedJSON{}, Problems: []problemJSON{}}
	for _, err := range failed {
		list.Problems = append(list.Problems, problemOf(err))
	}
	var harmed []string
	for _, t := range targets {
		p.on(t.name(t.path))
		v := a.verifyOne(ctx, t, o, p)
		if err := ctx.Err(); err != nil {
			return err
		}
		if v.gone {
			p.aside(func() { a.note(v.Path + " was removed meanwhile") })
			continue
		}
		list.Checkpoints = append(list.Checkpoints, v)
		failed = append(failed, v.err)
		if mayMend(v.err) && !slices.Contains(harmed, t.root) {
			harmed = append(harmed, t.root)
		}
		p.aside(func() { a.toldVerified(v, targets, o) })
	}
	if len(harmed) > 0 {
		list.Hint = fmt.Sprintf("'ckpt doctor --deep %s' says what can be mended, and with --fix mends it", strings.Join(harmed, "' and 'ckpt doctor --deep "))
		if !a.json {
			p.aside(func() { printHint(a.stderr, list.Hint) })
		}
	}
	if a.json {
		if err := a.printJSON(list); err != nil {
			return err
		}
	}
	if err := errors.Join(failed...); err != nil {
		return reported{err}
	}
	return nil
}

// mayMend reports whether err is of the kind that doctor is for, and not that
// nothing at all has that name.
func mayMend(err error) bool {
	code, none := exitCode(err), absent("")
	return code == exitCorrupt || code == exitNotFound && !errors.As(err, &none)
}

// toldVerified tells the result of one checkpoint as soon as it is known.
func (a *app) toldVerified(v verifiedJSON, targets []target, o verifyOptions) {
	if a.json {
		return
	}
	if v.Result == resultReceipt {
		what := "is whole"
		if o.quick || o.Parts > 1 {
			what = "has nothing else wrong in what was looked at"
		}
		a.note(v.Path + " " + what + "; its receipt is damaged, or about other files")
	}
	if !o.quiet {
		a.printVerified(v, targets)
	}
}

// tell prints a problem at once; with --json those of checkpoints are in the
// object, and what belongs to none is an error object.
func (a *app) tell(err error) {
	if a.json {
		a.printErrorJSON(err, exitCode(err))
		return
	}
	printError(a.stderr, err)
}

// verifyOne looks at a checkpoint, as deep as it is asked to.
func (a *app) verifyOne(ctx context.Context, t target, o verifyOptions, p *progress) verifiedJSON {
	v := &verifying{app: a, o: o, p: p, removed: func() bool { return t.removed(ctx) }, told: make(map[string]bool), damaged: make(map[string]bool)}
	v.Path, v.Problems = t.name(t.path), []problemJSON{}
	t.dir = countingDir{t.dir, func(_ string, n int) { p.done.Add(int64(n)) }}
	err := t.with(ctx, func(r *opened) error {
		v.Path = r.name
		o := o.VerifyOptions
		o.Visit = func(one checkpoint.Verified) { v.visit(r, one) }
		// What it returns is the first of what Visit was told.
		_ = r.VerifyWith(ctx, &o)
		if o.Depth == checkpoint.DepthQuick {
			v.Tensors = len(r.Names())
		} else if v.err == nil && r.Format() == checkpoint.FormatV2 {
			// It also reads what no tensor needs, such as the metaindex.
			v.harmedBy(r.explain(r.Layout(io.Discard)))
		}
		return ctx.Err()
	})
	v.harmedBy(err)
	if v.Result = resultOf(v.err); v.Result == results[exitCorrupt] && !v.harmed {
		v.Result = resultReceipt
	}
	return v.verifiedJSON
}

// harmedBy is problem for what is not of the receipt alone.
func (v *verifying) harmedBy(err error) {
	v.harmed = v.harmed || err != nil
	v.problem(err)
}

// ofReceipt reports whether what is wrong is that the receipt is damaged, or
// says something else of a file than the index, whose checksums are right.
func (v *verifying) ofReceipt(r *opened, one checkpoint.Verified) bool {
	if one.Tensor || !errors.Is(one.Err, format.ErrCorrupt) {
		return false
	}
	if v.o.Depth == checkpoint.DepthQuick { // which tells of the whole checkpoint
		return strings.HasPrefix(one.Err.Error(), checkpoint.ReceiptName(r.Path()))
	}
	return checkpointOf(one.Name) != one.Name // a file, and not a key of the object graph
}

// visit notes what was found out about a tensor or file.
func (v *verifying) visit(r *opened, one checkpoint.Verified) {
	if one.Tensor {
		v.Tensors++
		v.Bytes += one.Bytes
	}
	v.harmed = v.harmed || one.Err != nil && !v.ofReceipt(r, one)
	v.problem(r.explain(one.Err))
	if one.NonFinite == (tensor.NonFinite{}) {
		return
	}
	info, err := r.Info(one.Name)
	if err != nil {
		v.harmedBy(r.explain(err))
		return
	}
	found := nonFiniteOf(one, info.Shape)
	v.NonFinite = append(v.NonFinite, found)
	switch {
	case v.o.failNaN:
		v.harmedBy(fmt.Errorf("%s: %v", v.Path, found))
	case !v.app.json:
		v.p.aside(func() { v.app.note(fmt.Sprintf("%s: %v", v.Path, found)) })
	}
}

// verifying is a checkpoint while it is verified.
type verifying struct {
	verifiedJSON
	app     *app
	o       verifyOptions
	p       *progress
	removed func() bool     // since it was listed
	told    map[string]bool // problems, as sameProblem has them
	damaged map[string]bool // files with a damaged tensor
	harmed  bool            // by more than what is wrong with its receipt
}

// problem notes what is wrong and tells it, once.
func (v *verifying) problem(err error) {
	if err == nil || exitCode(err) == exitInterrupted {
		return
	}
	known := v.known(err)
	// A look at the directory for each of many would take the square of them.
	if !known && (len(v.Problems) == 0 || errors.Is(err, fs.ErrNotExist)) {
		v.gone = v.gone || v.removed()
	}
	if v.gone {
		return
	}
	v.err = errors.Join(v.err, err)
	if known {
		return
	}
	v.Problems = append(v.Problems, problemOf(err))
	if !v.app.json {
		v.p.aside(func() { printError(v.app.stderr, err) })
	}
}

// removed reports whether a training has removed the checkpoint since it was
// listed: then nothing is wrong with it.
func (t target) removed(ctx context.Context) bool {
	if !t.listed {
		return false
	}
	list, err := t.list(ctx)
	return err == nil && !slices.ContainsFunc(list, func(l checkpoint.Listing) bool { return l.Path == t.path })
}

// known reports whether err was told already: word for word, or as the tensor
// because of which a whole file is not what the receipt says.
func (v *verifying) known(err error) bool {
	same := sameProblem(err)
	known := v.told[same]
	v.told[same] = true
	if damage := new(format.CorruptError); errors.As(err, &damage) {
		if damage.Tensor == "" {
			return known || v.damaged[damage.Part]
		}
		v.damaged[damage.Part] = true
	}
	return known
}

// sameProblem returns the text that two problems share when they are one: a
// file that is missing or cut short is missed by each tensor in it.
func sameProblem(err error) string {
	file, damage := new(fs.PathError), new(format.CorruptError)
	switch {
	case errors.As(err, &file):
		return file.Error()
	case errors.As(err, &damage):
		return damage.Part + ": " + damage.Reason
	}
	return err.Error()
}

// printVerified prints the result of one checkpoint as soon as it is known.
func (a *app) printVerified(v verifiedJSON, targets []target) {
	if a.screen.tty {
		a.printVerifiedLine(v, targets)
	} else {
		t := &table{}
		t.add(same(v.Result), same(v.Path), number(int64(v.Tensors)), size(v.Bytes), number(int64(len(v.Problems))))
		t.writePlain(a.out)
	}
	// An error stays with the writer until Main flushes it again.
	_ = a.out.Flush()
}

func (a *app) printVerifiedLine(v verifiedJSON, targets []target) {
	width := 0
	for _, t := range targets {
		width = max(width, utf8.RuneCountInString(printable(t.name(t.path))))
	}
	st, problems := green, ""
	if v.err != nil {
		st, problems = red, "  "+count(len(v.Problems), "problem")
	}
	result := a.screen.paint(st, v.Result)
	path := printable(v.Path)
	fmt.Fprintf(a.out, "%s  %s  %s  %s%s\n", result, pad(path, width), count(v.Tensors, "tensor"), humanSize(v.Bytes), problems)
}

// pad fills text with spaces up to a width.
func pad(text string, width int) string {
	return text + fmt.Sprintf("%"+strconv.Itoa(max(0, width-utf8.RuneCountInString(text)))+"s", "")
}
