//go:build unix

package matrix_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const nobody = 65534

// asNobody makes cmd run without root's rights.
func asNobody(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

func giveToNobody(tb testing.TB, path string) {
	tb.Helper()
	if os.Getuid() == 0 {
		if err := os.Chown(path, nobody, nobody); err != nil {
			tb.Fatal(err)
		}
	}
}
