//go:build !unix

package matrix_test

import (
	"os/exec"
	"testing"
)

func asNobody(*exec.Cmd) {}

func giveToNobody(testing.TB, string) {}
