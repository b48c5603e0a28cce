//go:build !linux

package engine

import "errors"

// loopsWork reports whether this system has loops.
const loopsWork = false

func newKernel() (kernel, error) {
	return nil, errors.New("wye: event loops need Linux")
}
