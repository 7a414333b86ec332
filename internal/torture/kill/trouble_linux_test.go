package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// Troubles that only a process of its own may have: the test binary runs itself
// again, and tells what it tried in lines "COUNT\tWHAT".
var children = map[string]func(root string) error{
	"disk":       fillDisks,
	"file size":  limitFileSize,
	"open files": limitOpenFiles,
}

const childEnv = "CKPT_KILL_TEST_CHILD"

func TestMain(m *testing.M) {
	what := os.Getenv(childEnv)
	if what == "" {
		os.Exit(m.Run())
	}
	if err := children[what](os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(t *testing.T, what string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, t.TempDir())
	cmd.Env = append(os.Environ(), childEnv+"="+what, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// trouble is something that makes saves fail, more or less of it.
type trouble struct {
	name  string
	steps int // from none left for a save to enough for one
	begin func(step int) error
	end   func() error
	is    error
	blind bool // nobody knows how much room there is before it is used up
}

// place returns the directory as saves see it.
func (t trouble) place(root string) storage.Dir {
	if !t.blind {
		return local.Dir(root)
	}
	return local.DirOn(vfstest.Hook(vfs.OS(), func(vfstest.Op) error { return nil }), root)
}

// kinds are the saves that must cope.
var kinds = []struct {
	name string
	o    checkpoint.Options
	m    checkpoint.ManagerOptions
	over bool // the number of the checkpoint before
}{
	{name: "plain"},
	{name: "over another", over: true},
	{name: "sharded with parity", o: checkpoint.Options{Sharding: sharding.MaxShardSize(9000), Parity: true}},
	{name: "asynchronous", m: checkpoint.ManagerOptions{Async: &checkpoint.Async{}}},
}

// patient is a directory in trouble, and the record of what it must hold.
type patient struct {
	*history
	root   string
	failed int // saves that did
}

// suffer lets saves of every kind meet every step of the trouble. It returns
// how many saves have failed of how many.
func suffer(root string, t trouble) (failed, all int, err error) {
	for _, kind := range kinds {
		p := &patient{root: filepath.Join(root, strings.ReplaceAll(kind.name, " ", "-"))}
		p.history = newHistory("", p.root, "latest3", rand.New(rand.NewPCG(1, 2)))
		if err := errors.Join(os.Mkdir(p.root, 0o777), p.plant()); err != nil {
			return failed, all, err
		}
		for step := range t.steps {
			if err := p.step(t, step, kind.o, kind.m, kind.over); err != nil {
				return failed, all, fmt.Errorf("%s, step %d of %d, a save %s: %w", t.name, step, t.steps, kind.name, err)
			}
			all++
		}
		failed += p.failed
		if err := errors.Join(p.clean(), os.RemoveAll(p.root)); err != nil {
			return failed, all, err
		}
	}
	return failed, all, nil
}

// step saves well, in trouble, and well again, by a new manager.
func (p *patient) step(t trouble, step int, o checkpoint.Options, mo checkpoint.ManagerOptions, over bool) error {
	ctx, c := context.Background(), newContent()
	p.rule.set(&mo)
	m, err := checkpoint.NewManager(ctx, checkpoint.New(nil, c.objects(), &o), t.place(p.root), &mo)
	if err != nil {
		return err
	}
	if err := errors.Join(p.save(c, m, false), p.inspect(true), t.begin(step)); err != nil {
		return err
	}
	failed := p.save(c, m, over)
	if err := t.end(); err != nil {
		return err
	}
	if err := p.afterwards(m, failed, t.is); err != nil {
		return err
	}
	return errors.Join(p.save(c, m, false), m.Close(ctx), p.inspect(true))
}

// save saves once, and enters what comes of it into the record.
func (p *patient) save(c *content, m *checkpoint.Manager, over bool) error {
	ctx, o, number := context.Background(), new(checkpoint.SaveOptions), int64(-1)
	if over {
		if _, err := fmt.Sscanf(m.LatestCheckpoint(), "ckpt-%d", &number); err != nil {
			return err
		}
		o.CheckpointNumber = &number
	}
	serial := p.serial + 1
	c.fill(serial)
	if err := p.hear(fmt.Sprintf("save %d %d 0 false false %d", serial, c.digest(), number)); err != nil {
		return err
	}
	s, err := m.Begin(ctx, o)
	if err == nil {
		err = s.Wait(ctx)
	}
	if err != nil {
		return err
	}
	return p.hear(fmt.Sprintf("done %d %s", serial, s.Path()))
}

// afterwards: the error says what it is about and why, all is there, and no
// temporary file, of a process that lives on, is.
func (p *patient) afterwards(m *checkpoint.Manager, failed, want error) error {
	if failed != nil {
		p.failed++
		says := failed.Error()
		full := new(checkpoint.NoSpaceError)
		early := errors.As(failed, &full) && full.Missing() > 0
		clear := early || strings.Contains(says, p.root) && strings.Contains(says, want.Error())
		if !errors.Is(failed, want) || !strings.Contains(says, "save") || !clear {
			return fmt.Errorf("the error is %w, want one that says save, path and %v, or how much is missing", failed, want)
		}
	}
	temps, err := storage.Leftovers(context.Background(), p.dir)
	if err != nil || len(temps) > 0 {
		return fmt.Errorf("left are %v, %w", temps, err)
	}
	if got := m.LatestCheckpoint(); failed != nil && p.disk[got] == 0 {
		return fmt.Errorf("the latest is %q, on disk were %v", got, p.disk)
	}
	return p.inspect(false)
}
