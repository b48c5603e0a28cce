//go:build linux

package child

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestProcessThatFails has a server that ends with an error before it accepts.
func TestProcessThatFails(t *testing.T) {
	c, err := Start(t.Context(), nil, "sh", "-c", "echo no luck >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context(), addr); err == nil {
		t.Error("ready, though nothing listens")
	}
	if err := c.Stop(true); err == nil || !strings.Contains(err.Error(), "no luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want what it has said and its status", err)
	}
}

func TestProcessIsStopped(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0") // accepts in its place
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := Start(t.Context(), nil, "tail", "-f", "/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context(), ln.Addr().String()); err != nil {
		t.Error(err)
	}
	if err := c.Stop(false); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(c.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process is still there: %v", err)
	}
}

func TestEnd(t *testing.T) {
	for _, row := range []struct {
		at     testkit.Line
		trap   string
		within time.Duration
		want   string
	}{
		{testkit.Here(), `trap 'exit 0' TERM`, patience, ""},
		{testkit.Here(), `trap 'echo oh no >&2; exit 3' TERM`, patience, "oh no"},
		{testkit.Here(), `trap '' TERM`, time.Millisecond, "has not ended within"},
		{testkit.Here(), `:`, patience, "signal: terminated"},
	} {
		t.Run(row.trap, func(t *testing.T) {
			err := start(t, row.trap).End(row.within)
			if err == nil && row.want != "" || err != nil && (row.want == "" || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("%s: got %v, want %q", row.at, err, row.want)
			}
		})
	}
}

// start starts a shell that does first and then waits, and returns when it waits.
func start(t *testing.T, first string) *Process {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	// A shell runs a trap when a command ends. One that waited for good could start to
	// when the signal has just come.
	const wait = `; echo >"$1"; while :; do sleep 0.1 >/dev/null 2>&1 & wait $!; done`
	c, err := Start(t.Context(), nil, "sh", "-c", first+wait, "sh", ready)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(ready); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBuildFails(t *testing.T) {
	err := Build(t.Context(), ".", "./nothing", filepath.Join(t.TempDir(), "nothing"))
	if err == nil || !strings.Contains(err.Error(), "go build ./nothing") {
		t.Errorf("got %v, want an error that names the package", err)
	}
}
