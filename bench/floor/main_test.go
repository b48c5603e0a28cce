//go:build linux

package main

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestEndsOnSIGTERM runs the program itself.
func TestEndsOnSIGTERM(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "floor")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-addr", "127.0.0.1:0")
	diag, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(diag).ReadString('\n')
	if err != nil {
		t.Errorf("it says %q and %v, want where it listens", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v, want status 0", err)
	}
}
