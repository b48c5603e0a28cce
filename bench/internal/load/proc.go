//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ReadProcess reads what a process has used.
func ReadProcess(pid int) (p Process, err error) {
	if p.usage, err = readUsage(pid); err != nil {
		return p, err
	}
	p.CPU, p.Waiting = p.usage.cpu, p.usage.waiting
	if p.RSS, err = readMemory(pid, "VmRSS"); err != nil {
		return p, err
	}
	p.Peak, err = readMemory(pid, "VmHWM")
	return p, err
}

// readUsage reads the CPU time of a process. The sum is exact to the
// nanosecond; the ticks tell only how it is shared out between user and kernel.
func readUsage(pid int) (usage, error) {
	var ts unix.Timespec
	clock := int32(^pid<<3 | 2) // the CPU clock of a process, as clock_getcpuclockid(3) makes it
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return usage{}, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	u := usage{cpu: time.Duration(ts.Nano())}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The second field is a name in parentheses and may contain anything.
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	var state string
	var skip int64
	_, err = fmt.Sscan(string(rest), &state, &skip, &skip, &skip, &skip, &skip, &skip,
		&skip, &skip, &skip, &skip, &u.userTicks, &u.sysTicks)
	if err != nil {
		return u, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	u.waiting, err = readWaiting(pid)
	return u, err
}

// readWaiting sums up how long the threads of a process have been ready to run
// and not running.
func readWaiting(pid int) (time.Duration, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return 0, err
		}
		var run, wait int64
		if _, err := fmt.Sscan(string(text), &run, &wait); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += wait
	}
	return time.Duration(sum), nil
}

// readRSS reads the resident set of a process, in bytes.
func readRSS(pid int) (int64, error) { return readMemory(pid, "VmRSS") }

// readMemory reads a size from the status of a process, in bytes.
func readMemory(pid int, field string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, line, ok := bytes.Cut(text, []byte("\n"+field+":"))
	var kb int64
	if _, err := fmt.Sscan(string(line), &kb); !ok || err != nil {
		return 0, fmt.Errorf("%s: no %s", path, field)
	}
	return kb << 10, nil
}
