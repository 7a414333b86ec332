package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// measure is what one operation took.
type measure struct {
	Seconds float64 `json:"seconds"`
	Stall   float64 `json:"stall_seconds,omitempty"` // async: until the caller went on
	Lost    float64 `json:"lost_seconds,omitempty"`  // loop: by which the loops were put back
	CPU     float64 `json:"cpu_seconds"`             // of the process; what the kernel's own threads write is not in it
	Peak    int64   `json:"peak_bytes"`              // resident memory, beyond what there was before
	Limit   float64 `json:"limit_seconds"`           // mean of those before and after
}

// took is what an operation is about.
func (m measure) took(op string) float64 {
	switch op {
	case "async":
		return m.Stall
	case "loop":
		return m.Lost
	}
	return m.Seconds
}

// meter looks at a process from outside, the same way whoever it is.
type meter struct {
	pid      int
	start    time.Time
	cpu      float64
	resident int64
}

// newMeter makes the process's peak begin now, and then starts the clock.
func newMeter(pid int) (*meter, error) {
	// "5" makes VmHWM what VmRSS is: see proc_pid_clear_refs(5).
	if err := os.WriteFile(proc(pid, "clear_refs"), []byte("5"), 0); err != nil {
		return nil, err
	}
	resident, err := statusBytes(pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	cpu, err := cpuSeconds(pid)
	if err != nil {
		return nil, err
	}
	return &meter{pid: pid, resident: resident, cpu: cpu, start: time.Now()}, nil
}

// stop stops the clock and returns what there was since newMeter.
func (m *meter) stop() (measure, error) {
	took := time.Since(m.start).Seconds()
	peak, err := statusBytes(m.pid, "VmHWM")
	if err != nil {
		return measure{}, err
	}
	cpu, err := cpuSeconds(m.pid)
	return measure{Seconds: took, CPU: cpu - m.cpu, Peak: peak - m.resident}, err
}

func proc(pid int, file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }

// statusBytes reads a line "name:   123 kB" of the process's status.
func statusBytes(pid int, name string) (int64, error) {
	status, err := os.ReadFile(proc(pid, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s of process %d", name, pid)
}

// cpuSeconds is user and system time of the process, in steps of 10 ms.
func cpuSeconds(pid int) (float64, error) {
	stat, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the name, in parentheses, and may have spaces.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of process %d has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseFloat(string(fields[11]), 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(string(fields[12]), 64)
	const ticks = 100 // a second, on every Linux: USER_HZ
	return (user + system) / ticks, err
}
