// Package machine describes what measurements are made on.
package machine

import (
	"context"
	"debug/buildinfo"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// CPUs is where programs run; none means anywhere.
type CPUs struct{ Server, Load []int }

// CPUModel is what Linux calls the processor, or empty.
func CPUModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimLeft(line, "\t :")
}

// Commit describes the commit of the tree at dir.
func Commit(ctx context.Context, dir string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude", "*")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// Version returns the version of a module that a program was built with, and of Go if it
// is not that of this program.
func Version(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil || module == "" {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path != module {
			continue
		}
		if info.GoVersion != runtime.Version() {
			return dep.Version + ", " + info.GoVersion
		}
		return dep.Version
	}
	return ""
}
