package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// moment is when a victim is to die: so long after it has told so many
// operations or lines, or after its start if both are 0.
type moment struct {
	operations, lines int
	after             time.Duration
}

func (m moment) String() string {
	return fmt.Sprintf("%v after %d operations and %d lines", m.after, m.operations, m.lines)
}

// draw spreads deaths over the start of the process, the opening of the
// directory, saves and sweeps. By operations they come as often within the
// short ones as within flushes, by time as often as the user's would.
func draw(random *rand.Rand) moment {
	switch kind := random.IntN(20); {
	case kind < 3:
		return moment{after: time.Duration(random.Int64N(int64(20 * time.Millisecond)))}
	case kind < 11:
		m := moment{operations: 1 + random.IntN(400)}
		if random.IntN(2) == 0 {
			m.after = time.Duration(random.Int64N(int64(300 * time.Microsecond)))
		}
		return m
	}
	return moment{lines: 1 + random.IntN(12), after: time.Duration(random.Int64N(int64(15 * time.Millisecond)))}
}

// victim is a process that is killed, and what it said.
type victim struct {
	cmd   *exec.Cmd
	out   *bufio.Reader
	errs  strings.Builder
	last  string // what it said last
	lines []string
}

func begin(program, dir, rule string, seed, serial uint64, sessions int) (*victim, error) {
	v := &victim{last: "start"}
	v.cmd = exec.Command(program, dir, rule, strconv.FormatUint(seed, 10), strconv.FormatUint(serial, 10), strconv.Itoa(sessions))
	v.cmd.Stderr = &v.errs
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	v.out = bufio.NewReader(out)
	return v, v.cmd.Start()
}

// kill lets the victim live until the moment, kills it, and returns what it
// said to its last breath. The pipe holds it all.
func (v *victim) kill(when moment) error {
	// That a kill fails shows: the victim goes on, or has ended by itself.
	strike := func() { time.AfterFunc(when.after, func() { _ = v.cmd.Process.Kill() }) }
	if when.operations == 0 && when.lines == 0 {
		strike()
	}
	err := v.listen(func(operations, lines int, isLine bool) {
		if operations == when.operations && !isLine || lines == when.lines && isLine {
			strike()
		}
	})
	if waited := v.ended(); err == nil {
		err = waited
	}
	return err
}

// ended returns an error unless the process was ended by SIGKILL.
func (v *victim) ended() error {
	err := v.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	return fmt.Errorf("the victim ended by itself: %w\n%s", err, v.errs.String())
}

// listen collects what the process says until it is silent.
func (v *victim) listen(told func(operations, lines int, isLine bool)) error {
	operations, lines := 0, 0
	for {
		b, err := v.out.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if b != '!' {
			operations++
			if b != '.' {
				v.last = operationOf[b]
			}
			told(operations, lines, false)
			continue
		}
		line, err := v.out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("half a line %q: %w", line, err)
		}
		line = strings.TrimSuffix(line, "\n")
		v.lines = append(v.lines, line)
		v.last, _, _ = strings.Cut(line, " ")
		lines++
		told(operations, lines, true)
	}
}

// operationOf is the other way round of letters.
var operationOf = func() map[byte]string {
	m := make(map[byte]string)
	for what, letter := range letters {
		m[letter] = what
	}
	return m
}()
