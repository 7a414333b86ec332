package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/bench/peer"
)

// patience is how long one call may take: of what is measured here nothing
// takes a tenth of it.
const patience = 15 * time.Minute

// errUnable is the answer of a peer that has no such thing.
var errUnable = errors.New("has no such thing")

// process is a peer that runs, or ours.
type process struct {
	name    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
	said    *tail
}

// inGroup makes the end of a command's context the end of all its children.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}

// start runs a program that answers requests until ctx ends.
func start(ctx context.Context, name string, args []string) (*process, error) {
	p := &process{name: name, cmd: exec.CommandContext(ctx, args[0], args[1:]...), said: &tail{}}
	inGroup(p.cmd)
	p.cmd.Stderr = p.said
	p.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.answers = json.NewDecoder(stdout)
	return p, p.cmd.Start()
}

// call asks p for something and waits for the answer.
func (p *process) call(q peer.Request) (a peer.Answer, err error) {
	late := time.AfterFunc(patience, func() { _ = p.cmd.Cancel() })
	defer late.Stop()
	if err := json.NewEncoder(p.stdin).Encode(q); err != nil {
		return a, p.failed(q, err)
	}
	if err := p.answers.Decode(&a); err != nil {
		return a, p.failed(q, err)
	}
	switch {
	case a.Error != "":
		return a, p.failed(q, errors.New(a.Error))
	case a.Unable:
		return a, fmt.Errorf("%s: %s: %w", p.name, q.Op, errUnable)
	}
	return a, nil
}

// failed adds what the process said last, which is where a program that died
// has told why.
func (p *process) failed(q peer.Request, err error) error {
	return fmt.Errorf("%s: %s: %w\n%s", p.name, q.Op, err, strings.TrimSpace(string(p.said.last)))
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	err := p.stdin.Close()
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Cancel() })
	defer late.Stop()
	if wait := p.cmd.Wait(); wait != nil {
		return fmt.Errorf("%s: %w", p.name, wait)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ last []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.last = append(t.last, b...)
	if over := len(t.last) - 4096; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(b), nil
}
