//go:build !unix

package probe

import (
	"context"
	"errors"
)

// Install does nothing: there is no SIGUSR1.
func Install() {}

// Ask needs SIGUSR1.
func Ask(context.Context, int, string) (Sample, error) { return Sample{}, errors.ErrUnsupported }
