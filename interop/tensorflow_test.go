//go:build interop

// Package interop tests against TensorFlow and Keras themselves: what they
// write we read, what we write they read, and where both write the same, the
// bytes are the same. `make interop` runs it; without Python it fails.
package interop

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The default is fixed: what fails in somebody's CI should be what they have
// changed. `make interop-long` looks for what no seed has found yet.
var seedFlag = flag.Uint64("seed", 1, "seed of the random values and graphs; 0 takes a new one")

// patience is how long one request may take: the slowest trains a Keras model.
const patience = 2 * time.Minute

// tf is the process that all tests share: importing TensorFlow takes longer
// than most of them.
var tf *process

func TestMain(m *testing.M) {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = rand.Uint64N(1 << 32)
	}
	fmt.Printf("interop: -seed %d\n", *seedFlag)
	var err error
	if tf, err = start(); err != nil {
		fmt.Fprintln(os.Stderr, "interop: ", err)
		os.Exit(1)
	}
	code := m.Run()
	for _, p := range []*process{tf, legacy} {
		if p == nil {
			continue
		}
		if err := p.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "interop: python: ", err)
			code = 1
		}
	}
	os.Exit(code)
}

// legacy is the process in which tf.keras is tf-keras, that is Keras 2. Only
// the tests of callbacks need it, and start it.
var legacy *process

var startLegacy = sync.OnceValues(func() (*process, error) {
	p, err := start("TF_USE_LEGACY_KERAS=1")
	legacy = p
	return p, err
})

// process is interop/py/driver.py: a request a line in, an answer a line out.
type process struct {
	mu      sync.Mutex
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan []byte // closed when the process ends
	log     *os.File    // its standard error
}

// python returns the interpreter: CKPT_PYTHON, or the one venv.sh installs.
func python() (string, error) {
	if p := os.Getenv("CKPT_PYTHON"); p != "" {
		return p, nil
	}
	cmd := exec.Command("./venv.sh")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("venv.sh: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func start(env ...string) (*process, error) {
	interpreter, err := python()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "interop-python-*.log")
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(interpreter, "py/driver.py"), answers: make(chan []byte), log: log}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	return p, nil
}

func (p *process) read(out io.Reader) {
	defer close(p.answers)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		p.answers <- line
	}
}

// stop ends the process and removes its log, unless something went wrong.
func (p *process) stop() error {
	if err := p.in.Close(); err != nil {
		return err
	}
	for range p.answers { // a request that was given up
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w (see %s)", err, p.log.Name())
	}
	if err := p.log.Close(); err != nil {
		return err
	}
	return os.Remove(p.log.Name())
}

// ask makes a request and returns the answer, or TensorFlow's error.
func ask[R any](t *testing.T, call string, args map[string]any) (R, error) {
	t.Helper()
	return askOf[R](t, tf, call, args)
}

// askOf is ask of one of the processes.
func askOf[R any](t *testing.T, p *process, call string, args map[string]any) (R, error) {
	t.Helper()
	var result R
	request := map[string]any{"call": call}
	for k, v := range args {
		request[k] = v
	}
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("python is gone: %v (see %s)", err, p.log.Name())
	}
	select {
	case answer, ok := <-p.answers:
		if !ok {
			t.Fatalf("python ended in %s (see %s)", call, p.log.Name())
		}
		return decode(t, answer, result)
	case <-time.After(patience):
		// The next answer would be this one's: there is no going on.
		if err := p.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		t.Fatalf("%s took longer than %v", call, patience)
	}
	return result, nil
}

func decode[R any](t *testing.T, line []byte, result R) (R, error) {
	t.Helper()
	answer := struct {
		Result *R
		Error  string
	}{Result: &result}
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatalf("answer %.200s: %v", line, err)
	}
	if answer.Error != "" {
		return result, fmt.Errorf("%s", answer.Error)
	}
	return result, nil
}

// must is ask where an error of TensorFlow's is a failure.
func must[R any](t *testing.T, call string, args map[string]any) R {
	t.Helper()
	result, err := ask[R](t, call, args)
	if err != nil {
		t.Fatalf("TensorFlow: %s: %v", call, err)
	}
	return result
}

// random returns a source for a test's random values, the same for a seed
// whichever tests are run.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	var name uint64
	for _, b := range []byte(t.Name()) {
		name = name*31 + uint64(b)
	}
	return rand.New(rand.NewPCG(*seedFlag, name))
}
