package matrix_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// program returns where a program is, and fails the test if it is nowhere.
func program(tb testing.TB, name string) string {
	tb.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} { // which is in root's PATH only
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	tb.Fatalf("there is no %s here; run `make deps`", name)
	return ""
}

// child is a program that the test runs.
type child struct {
	cmd  *exec.Cmd
	out  testkit.Buffer
	over chan error // has one value when it has ended
}

// start starts a program in dir, as nobody if the test is root's. It is ended at
// the end of the test.
func start(tb testing.TB, dir, path string, args ...string) *child {
	tb.Helper()
	c := &child{cmd: exec.CommandContext(context.Background(), path, args...), over: make(chan error, 1)}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, &c.out, &c.out
	c.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	c.cmd.WaitDelay = patience
	asNobody(c.cmd)
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { c.over <- c.cmd.Wait(); close(c.over) }()
	tb.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has no children
		for range c.over {
		}
		if tb.Failed() {
			tb.Logf("%s wrote:\n%s", filepath.Base(path), &c.out)
		}
	})
	return c
}

// until looks until ok, and fails the test when over comes first.
func until(tb testing.TB, ok func() bool, over <-chan error) {
	tb.Helper()
	look, late := time.NewTicker(10*time.Millisecond), time.NewTimer(patience)
	defer look.Stop()
	defer late.Stop()
	for !ok() {
		select {
		case <-look.C:
		case err := <-over:
			tb.Fatalf("it has ended instead of listening: %v", err)
		case <-late.C:
			tb.Fatalf("it does not listen within %v", patience)
		}
	}
}

func listens(tb testing.TB, network, addr string) bool {
	tb.Helper()
	nc, err := (&net.Dialer{}).DialContext(tb.Context(), network, addr)
	if err == nil {
		nc.Close()
	}
	return err == nil
}

// freeAddr is an address of the loopback where nobody listens now, among the
// ports that no system gives away by itself.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(22_000))
		if !listens(tb, "tcp", addr) {
			return addr
		}
	}
	tb.Fatal("somebody listens everywhere")
	return ""
}

// commonDir is a directory for a child that is not the test's user.
func commonDir(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o711); err != nil {
			tb.Fatal(err)
		}
	}
	giveToNobody(tb, dir)
	return dir
}

// portOf is the port of an address.
func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
