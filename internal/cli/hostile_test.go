package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
	"github.com/ckpt-dev/ckpt/internal/cli"
	"github.com/ckpt-dev/ckpt/internal/hostile"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// evil are texts that do something to a terminal, or hide something from who
// reads it: escape sequences with ESC and with C1 controls, bidirectional and
// invisible characters, bytes that are not UTF-8, line ends. Between two
// "<< >>" is where a test can find them again.
var evil = []string{
	"<<\x1b]0;owned\x07\x1b[2J>>", "<<\u009b31m\u0090q\u009c>>", "<<\u202egnp.exe\u2066\u2069>>", "<<\u200b\u200f\ufeff\u00ad>>",
	"<<\xff\xfe\x9b31m>>", "<<a\r\nb\tc\x00d\be\x7f>>", "<<\U000e0041\u2028\u2029>>",
}

// fileName returns text as far as a file can have it as its name.
func fileName(text string) string {
	return strings.ToValidUTF8(strings.NewReplacer("\x00", "", "/", "").Replace(text), "")
}

// wantHarmless checks what a command has printed: nothing in it acts on a
// terminal. Colours and the title of a table are not in what a pipe gets.
func wantHarmless(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: prints bytes that are not UTF-8: %q", what, text)
	}
	for _, r := range strings.ReplaceAll(text, "\r\x1b[K", "") { // how progress is taken away
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			t.Errorf("%s: prints %U in %q", what, r, text)
			return
		}
	}
}

// evilRun makes a root with a run in which all texts that there can be are
// the given one, and returns it.
func evilRun(t *testing.T, text string) string {
	t.Helper()
	ctx, root, name := t.Context(), t.TempDir(), fileName(text)
	run, err := experiment.Open(local.Dir(root)).Begin(ctx, name, &experiment.RunOptions{
		Tags: []string{text}, Params: map[string]any{text: text}, From: &experiment.Origin{Run: text, Path: text}})
	if err != nil {
		t.Fatal(err)
	}
	v := trackable.NewVariable(text, tensor.Shape{2}, []float32{1, 2})
	words := trackable.State(evilState{text})
	object := new(trackable.Node).Track(strings.ToValidUTF8(text, "?"), v).Track("words", words)
	c := checkpoint.New(object, nil, nil)
	m, err := checkpoint.NewManager(ctx, c, run.Dir(), run.ManagerOptions(&checkpoint.ManagerOptions{CheckpointName: name}))
	if err != nil {
		t.Fatal(err)
	}
	path, err := m.Save(ctx, &checkpoint.SaveOptions{Metrics: map[string]float64{text: 1}})
	if err == nil {
		err = errors.Join(m.Tag(ctx, path, text), m.Pin(ctx, path, text))
	}
	if err = errors.Join(err, m.Close(ctx), run.Finish(ctx, errors.New(text))); err != nil {
		t.Fatal(err)
	}
	return root
}

// evilState is a state of a string that is not for printing.
type evilState struct{ text string }

func (s evilState) MarshalBinary() ([]byte, error) { return []byte(s.text), nil }
func (evilState) UnmarshalBinary([]byte) error     { return nil }

// evilCommands are the command lines to try on a run's directory and a
// checkpoint in it. What commands there will be besides gets both.
func evilCommands(root, dir, path, text string) [][]string {
	name := strings.ToValidUTF8(text, "?")
	lines := [][]string{
		{"show", path, "--tree"}, {"show", path, "--layout"}, {"cat", path, name}, {"cat", path, "words"}, {"cat", path, text},
		{"cat", path, "words", "--all"}, {"cat", path, name, text}, {"cat", path, name, "--format", text},
		{"runs", root}, {"runs", root, "--tree"}, {"runs", root, filepath.Base(dir), filepath.Base(dir)}, {"runs", root, text},
		{"runs", root, "--metric", text}, {"runs", root, "--tag", text}, {"runs", root, "--sort", text},
		{"tag", path, text}, {"untag", path, text + "x"}, {"pin", path, "--reason", text},
		{"prune", dir, "--keep-latest", "1"}, {"prune", dir, "--keep-best", text}, {"prune", dir, "--keep-within", text},
		{"prune", dir, "--max-bytes", text}, {"prune", dir, "--keep-tag", text}, {"prune", dir, "--keep-latest", "1", "--name", text},
		{text}, {"help", text}, {"show", text}, {"ls", text}, {"verify", path, text}, {"--" + text}, {"ls", "--" + text},
		{"completion", text}, {"__complete", "cat", path, ""}, {"__complete", "show", dir + "/"}, {"__complete", "untag", path, ""},
		{"__complete", "runs", root, ""},
	}
	for _, command := range cli.Commands() {
		if command == "completion" {
			continue // its scripts have tabs and no names
		}
		lines = append(lines, []string{command, dir}, []string{command, path}, []string{command, path + ".index"})
	}
	return lines
}

// TestNoCommandPrintsWhatActsOnATerminal lets every command, with and without
// --json, in a pipe and on a terminal, at work on names, texts, values and
// arguments that are made to take a terminal over, and breaks the files so
// that the errors have them too.
//
// Proves D25.
func TestNoCommandPrintsWhatActsOnATerminal(t *testing.T) {
	n := printEvil(t)
	t.Setenv("CKPT_FORCE_TTY", "1")
	t.Setenv("NO_COLOR", "1") // or what is ours could not be told from what is not
	torture.Count(t, "hostile inputs", n+printEvil(t))
}

func printEvil(t *testing.T) (n int) {
	t.Helper()
	for _, text := range evil {
		root := evilRun(t, text)
		dir := filepath.Join(root, fileName(text))
		path := filepath.Join(dir, fileName(text)+"-1")
		for _, harm := range evilHarms(path) {
			if harm != nil {
				harm(t)
			}
			lines := evilCommands(root, dir, path, text)
			for k := n % torture.Thin(29); k < len(lines); k += torture.Thin(29) {
				for _, args := range [][]string{lines[k], append([]string{"--json"}, lines[k]...)} {
					_, stdout, stderr := run(t.Context(), args...)
					wantHarmless(t, strings.Join(args[:min(2, len(args))], " ")+": stdout", stdout)
					wantHarmless(t, strings.Join(args[:min(2, len(args))], " ")+": stderr", stderr)
					n++
				}
			}
		}
	}
	return n
}

// evilHarms are what is done to the files between one round of commands and
// the next, so that they speak in errors.
func evilHarms(path string) []func(t *testing.T) {
	write := func(name, content string) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := filepath.Dir(path)
	state := "model_checkpoint_path: \"\\033]0;x\\302\\233\"\n"
	return []func(t *testing.T){
		nil,
		write(filepath.Join(dir, "checkpoint"), state),
		write(filepath.Join(dir, "checkpoint"), "\x1b[2J\u009b"),
		write(path+".receipt.json", "{\"schema\": \"\x1b[2J\u009b\u202e\"}"),
		write(path+".receipt.json", "\x1b[2J\u009b"),
		write(filepath.Join(dir, "run.json"), "{\"schema\": \"\u009b\u202e\"}"),
		write(path+".data-00000-of-00001", "\u009b"),
		write(path+".index", "\u009b"),
	}
}

// TestEveryJSONObjectIsJSON: what --json prints is one object, whatever the
// names are, and standard error has one object a line.
func TestEveryJSONObjectIsJSON(t *testing.T) {
	for _, text := range evil {
		root := evilRun(t, text)
		dir := filepath.Join(root, fileName(text))
		for _, args := range [][]string{{"ls", dir}, {"show", dir}, {"show", dir, "--tree"}, {"verify", dir}, {"runs", root}, {"cat", dir, "words"}} {
			exit, stdout, stderr := run(t.Context(), append(args, "--json")...)
			var object map[string]any
			if err := json.Unmarshal([]byte(stdout), &object); err != nil || exit != 0 || stderr != "" {
				t.Errorf("ckpt %q: exit %d, %v in %q, %s", args, exit, err, stdout, stderr)
			}
		}
	}
}

// TestNoCommandLeavesTheDirectory sets traps in a directory and lets every
// command at it.
//
// Proves D24, D25.
func TestNoCommandLeavesTheDirectory(t *testing.T) {
	g := hostile.NewGround(t)
	n := 0
	for i, name := range []string{"checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json", "ckpt-1",
		"run.json", "variables", ".ckpt.lock-checkpoint", ".ckpt.leases", ".ckpt.leases/.ckpt.lock-removal", "ckpt-2.index"} {
		for j, trap := range g.Traps() {
			g.Fresh()
			saveOne(t, g.Dir)
			path := filepath.Join(g.Dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.RemoveAll(path), trap.Set(path)); err != nil {
				t.Fatal(err)
			}
			lines := evilCommands(g.Dir, g.Dir, filepath.Join(g.Dir, "ckpt-1"), "v")
			lines = append(lines, []string{"prune", g.Dir, "--keep-latest", "1", "--yes", "--foreign"})
			step := torture.Times(9, 1) * torture.Thin(13)
			for k := (i + j) % step; k < len(lines); k += step {
				_, _, _ = run(t.Context(), lines[k]...)
				n++
			}
			g.Check(name + " is a " + trap.Name)
		}
	}
	torture.Count(t, "hostile inputs", n)
}

// saveOne saves a checkpoint of a variable called v.
func saveOne(t *testing.T, dir string) {
	t.Helper()
	c := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewVariable("v", nil, []float32{1})}, nil)
	if _, err := c.Save(t.Context(), local.Dir(dir), "ckpt"); err != nil {
		t.Fatal(err)
	}
}
