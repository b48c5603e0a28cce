//go:build !unix

package redistest

import (
	"errors"
	"os"
	"syscall"
)

// The signals that a server gets. There is no SIGSTOP here: Freeze returns an error.
//
//nolint:gochecknoglobals // constants of the system
var (
	termSignal   = os.Kill
	killSignal   = os.Kill
	freezeSignal = os.Interrupt
	thawSignal   = os.Interrupt
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
