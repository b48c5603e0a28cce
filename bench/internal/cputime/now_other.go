//go:build !unix

package cputime

import "time"

// now is not known here, and the figure is left out.
func now() time.Duration { return 0 }
