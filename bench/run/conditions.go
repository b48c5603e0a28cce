package main

import (
	"context"
	"runtime"

	"github.com/wye-go/wye/bench/internal/machine"
)

// newConditions describes this machine and this tree. What cannot be learnt stays empty.
func newConditions(ctx context.Context, opt options) conditions {
	return conditions{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPU: machine.CPUModel(), Cores: runtime.NumCPU(),
		Commit: machine.Commit(ctx, opt.dir), Rounds: opt.rounds, Seconds: opt.duration.Seconds(), Versions: map[string]string{},
	}
}
