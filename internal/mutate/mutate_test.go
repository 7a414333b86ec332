package main

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const sample = `package sample

func publish(ctx, dir any) error {
	if err := p.Commit(); err != nil {
		return err
	}
	err := storage.CommitAll(ctx, dir, first, []string{"b"}, last)
	if err == nil && crc != want.CRC32C {
		err = storage.WriteFile(ctx, dir, "name", nil)
	}
	return dirlock.InTurn(ctx, lock, func() error { return d.Sync() })
}
`

// operated returns the mutants of the sample, by what they are.
func operated(t *testing.T) *code {
	t.Helper()
	count := 0
	c := &code{file: "checkpoint/sample.go", text: sample, next: func() int { count++; return count }}
	if err := c.operate(target{calls: flushing, sums: true}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachPlaceIsAMutant(t *testing.T) {
	var got []string
	for _, m := range operated(t).mutants {
		got = append(got, m.String())
	}
	want := []string{
		"checkpoint/sample.go:4 without p.Commit()",
		"checkpoint/sample.go:4 published, not committed: p.Commit()",
		`checkpoint/sample.go:7 without storage.CommitAll(ctx, dir, first, []string{"b"}, last)`,
		`checkpoint/sample.go:7 in one wave: first, []string{"b"}`,
		`checkpoint/sample.go:7 in one wave: []string{"b"}, last`,
		`checkpoint/sample.go:7 in the wrong order: first, []string{"b"}`,
		`checkpoint/sample.go:7 in the wrong order: []string{"b"}, last`,
		"checkpoint/sample.go:8 unchecked: crc != want.CRC32C",
		`checkpoint/sample.go:9 without storage.WriteFile(ctx, dir, "name", nil)`,
		"checkpoint/sample.go:9 storage.WriteFileSoon for storage.WriteFile",
		"checkpoint/sample.go:11 not within InTurn: dirlock.InTurn(ctx, lock, func() error { return d.Sync() })",
		"checkpoint/sample.go:11 without d.Sync()",
	}
	if !slices.Equal(got, want) {
		t.Errorf("mutants are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAllMutantsAreOneFile(t *testing.T) {
	got := operated(t).edited()
	if _, err := parser.ParseFile(token.NewFileSet(), "sample.go", got, 0); err != nil {
		t.Errorf("%v\n%s", err, got)
	}
	for _, want := range []string{
		"mutantErr(1, func() error { return mutantElse(2, func() error { return storage.Publish(p) }, func() error { return p.Commit() }) })",
		`storage.CommitAll(ctx, dir, mutantWaves(4, first, []string{"b"}, last)...)`,
		"(crc != want.CRC32C && !mutantOn(8))",
		"mutantPick(mutantOn(10), storage.WriteFileSoon, storage.WriteFile)(ctx",
		"mutantPick(mutantOn(11), mutantInTurn, dirlock.InTurn)(ctx, lock, func() error { return mutantErr(12, func() error { return d.Sync() }) })",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestARuleWhoseTextIsGoneIsAnError(t *testing.T) {
	for what, rule := range map[string]order{
		"is there 0 times":         {"a/b.go", "rule", [][2]string{{"gone", "MUTANT"}}},
		"is there 2 times":         {"a/b.go", "rule", [][2]string{{"twice", "MUTANT"}}},
		"have not as many lines":   {"a/b.go", "rule", [][2]string{{"once", "MUTANT\n"}}},
		"it becomes mutantOn(1) 1": {"a/b.go", "rule", [][2]string{{"once", "it becomes MUTANT 1"}}},
	} {
		c := &code{file: "a/b.go", text: "twice twice once", next: func() int { return 1 }}
		err := c.apply([]order{rule})
		got := c.text
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, what) {
			t.Errorf("apply(%v) = %s, want %q", rule, got, what)
		}
	}
}

// TestTheRulesFitTheCode makes the overlay of the repository as it is.
func TestTheRulesFitTheCode(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	mutants, overlay, err := instrument(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := unobservable.check(mutants); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(overlay)
	if err != nil {
		t.Fatal(err)
	}
	var o struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay)
	for _, pkg := range tested {
		build.Args = append(build.Args, "./"+pkg)
	}
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
	for of, file := range o.Replace {
		if _, err := parser.ParseFile(token.NewFileSet(), file, nil, 0); err != nil {
			t.Errorf("%s: %v", of, err)
		}
	}
	t.Logf("%d mutants in %d files", len(mutants), len(o.Replace))
}

func TestASampleIsSpreadEvenly(t *testing.T) {
	var all []mutant
	for i := range 10 {
		all = append(all, mutant{id: i, file: "a.go"})
	}
	got, err := chosen(all, options{sample: 3, file: "a.go"})
	if err != nil || len(got) != 3 || got[0].id != 0 || got[1].id != 3 || got[2].id != 6 {
		t.Errorf("chosen = %v, %v, want those with 0, 3 and 6", got, err)
	}
	if got, err := chosen(all, options{file: "b.go"}); err != nil || len(got) != 0 {
		t.Errorf("chosen = %v, %v, want none", got, err)
	}
}

// TestWhatSurvivesFails has tests that are no tests: of the shell.
func TestWhatSurvivesFails(t *testing.T) {
	tmp := t.TempDir()
	script := "#!/bin/sh\ncase $" + envMutant + " in 1) echo '--- FAIL: TestA (0.00s)'; exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(tmp, "storage.test"), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(tmp, "storage"), 0o777); err != nil {
		t.Fatal(err)
	}
	s := &suite{root: tmp, tmp: tmp, jobs: 2, timeout: time.Minute, tests: []test{{"storage", "TestA", 1, []int{1, 2}}, {"storage", "TestB", 1, []int{2}}}}
	var out bytes.Buffer
	err := s.judgeAll(&out, []mutant{{1, "a.go", 1, "without it"}, {2, "a.go", 2, "without that"}})
	if err == nil || !strings.HasPrefix(err.Error(), "1 mutants survive") {
		t.Errorf("judgeAll = %v, want that one survives", err)
	}
	for _, want := range []string{"red          a.go:1 without it: storage TestA\n", "SURVIVES     a.go:2 without that: 2 tests reach it\n", "2 mutants in 0s: 1 red, 0 unobservable, 1 survive\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed %q, want %q in it", &out, want)
		}
	}
}

// TestNothingThatChangesADirectoryIsLeftOut: each file of the packages under
// test with a call that the targets know is one of a target.
func TestNothingThatChangesADirectoryIsLeftOut(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, row := range targets {
		files, err := sources(root, row.files)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	for _, pkg := range tested {
		files, err := sources(root, []string{pkg + "/*.go"})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if slices.Contains(all, file) || file == "checkpoint/async.go" { // the TryLock there is of a mutex
				continue
			}
			c, err := mutate(root, file, target{calls: flushing}, func() int { return 1 })
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range c.mutants {
				t.Errorf("%s is of no target: %v", file, m)
			}
		}
	}
}
