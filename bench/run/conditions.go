package main

import (
	"context"
	"debug/buildinfo"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// newConditions describes this machine and this tree. What cannot be learnt stays empty.
func newConditions(ctx context.Context, opt options) conditions {
	return conditions{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPU: cpuModel(), Cores: runtime.NumCPU(),
		Commit: commit(ctx, opt.dir), Rounds: opt.rounds, Seconds: opt.duration.Seconds(), Versions: map[string]string{},
	}
}

// cpuModel is what Linux calls the processor.
func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimLeft(line, "\t :")
}

func commit(ctx context.Context, dir string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude", "*")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// version returns the version of a module that a program was built with, and of Go if it
// is not that of this program.
func version(program, module string) string {
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
