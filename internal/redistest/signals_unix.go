//go:build unix

package redistest

import (
	"errors"
	"os"
	"syscall"
)

// The signals that a server gets.
//
//nolint:gochecknoglobals // constants of the system
var (
	termSignal   os.Signal = syscall.SIGTERM
	killSignal   os.Signal = syscall.SIGKILL
	freezeSignal os.Signal = syscall.SIGSTOP
	thawSignal   os.Signal = syscall.SIGCONT
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
