//go:build !linux

package load

import (
	"context"
	"errors"
	"fmt"
)

// Run needs Linux: the load generator is written for epoll and reads /proc.
func Run(context.Context, Config) (Result, error) {
	return Result{}, fmt.Errorf("load generator: %w, it needs Linux", errors.ErrUnsupported)
}

// ReadProcess needs Linux: it reads /proc.
func ReadProcess(int) (Process, error) {
	return Process{}, fmt.Errorf("use of a process: %w, it needs Linux", errors.ErrUnsupported)
}
