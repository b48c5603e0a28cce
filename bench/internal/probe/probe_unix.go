//go:build unix

package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

const (
	patience = 20 * time.Second      // for an answer
	retry    = 20 * time.Millisecond // between two looks for it
)

// Install answers SIGUSR1 with a Sample from now on, if Env names a file.
func Install() {
	file := os.Getenv(Env)
	if file == "" {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			if err := answer(file); err != nil {
				fmt.Fprintln(os.Stderr, "probe:", err)
			}
		}
	}()
}

// answer writes the file at once as a whole. Objects with finalizers, as net.Conn has,
// and pools need a second collection.
func answer(file string) error {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b, err := json.Marshal(Sample{Heap: m.HeapAlloc, Stacks: m.StackInuse, Goroutines: runtime.NumGoroutine()})
	if err != nil {
		return err
	}
	next := file + ".next"
	if err := os.WriteFile(next, b, 0o600); err != nil { //nolint:gosec // whoever starts the program chooses the file
		return err
	}
	return os.Rename(next, file) //nolint:gosec // likewise
}

// Ask has the process collect its garbage and returns its Sample. file must be what Env
// is for it.
func Ask(ctx context.Context, pid int, file string) (s Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return s, fmt.Errorf("SIGUSR1 to process %d: %w", pid, err)
	}
	again := time.NewTicker(retry)
	defer again.Stop()
	for {
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &s)
			return s, err
		}
		if !errors.Is(err, os.ErrNotExist) {
			return s, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return s, fmt.Errorf("process %d has not written %s: %w", pid, file, ctx.Err())
		}
	}
}
