package testkit

import (
	"errors"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Namespace is a network namespace, and a thread of the operating system that is in it. It
// has no interface but a loopback that is down.
type Namespace struct {
	calls chan func()
	id    int
}

// NewNamespace makes a namespace that ends with the test. Processes that it has started
// must have ended before.
func NewNamespace(tb testing.TB) *Namespace {
	tb.Helper()
	n := &Namespace{calls: make(chan func())}
	started := make(chan error)
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		n.id = syscall.Gettid()
		started <- syscall.Unshare(syscall.CLONE_NEWNET)
		for f := range n.calls {
			f()
		}
	}()
	tb.Cleanup(func() {
		close(n.calls)
		<-over
	})
	if err := <-started; err != nil {
		tb.Fatalf("this test needs network namespaces of its own, and cannot make them: unshare: %v. "+
			"It has to run as root (or with CAP_SYS_ADMIN and CAP_NET_ADMIN), on a kernel with CONFIG_NET_NS", err)
	}
	return n
}

// LinkTo makes a link to another namespace: the interface near with the address 10.0.0.1 in
// n, and far with 10.0.0.2 in the other.
func (n *Namespace) LinkTo(tb testing.TB, other *Namespace) {
	tb.Helper()
	n.Sh(tb, "ip link add near type veth peer name far netns "+strconv.Itoa(other.id),
		"ip addr add 10.0.0.1/24 dev near", "ip link set near up", "ip link set lo up")
	other.Sh(tb, "ip addr add 10.0.0.2/24 dev far", "ip link set far up", "ip link set lo up")
}

// Run calls f in the namespace's thread, and returns when it has returned. Sockets and
// processes that f makes are in the namespace; such a process must have ended before the
// test does.
func (n *Namespace) Run(f func()) {
	done := make(chan struct{})
	n.calls <- func() { defer close(done); f() }
	<-done
}

// Sh runs commands of the package iproute2 in the namespace. A command that fails stops
// the test.
func (n *Namespace) Sh(tb testing.TB, commands ...string) {
	tb.Helper()
	for _, command := range commands {
		words := strings.Fields(command)
		var out []byte
		var err error
		n.Run(func() {
			out, err = exec.CommandContext(tb.Context(), words[0], words[1:]...).CombinedOutput() //nolint:gosec // G204: of tests
		})
		switch {
		case errors.Is(err, exec.ErrNotFound):
			tb.Fatalf("this test needs %q for a link between namespaces: install iproute2 (scripts/deps does)", words[0])
		case err != nil:
			tb.Fatalf("this test needs a link between namespaces, and cannot make it: %q: %v\n%s\n"+
				"The kernel must have veth and sch_tbf (CONFIG_VETH, CONFIG_NET_SCH_TBF), and this must be root", command, err, out)
		}
	}
}
