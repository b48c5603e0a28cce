package matrix_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// serve and listenUnix stand in docs/deployment.md, word by word.

func serve(ctx context.Context, addr string, r *router.ProtocolTypeRouter) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{
		Addr:              addr,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	return router.Run(ctx, srv, r, 20*time.Second)
}

// listenUnix listens on path. It removes a socket that a killed process has left there.
func listenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o660) // for the group that the proxy is in
}

func TestServe(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	addr, over := freeAddr(t), make(chan error, 1)
	go func() { over <- serve(ctx, addr, router.New(http.HandlerFunc(page), b.ws)) }()
	until(t, func() bool { return listens(t, "tcp", addr) }, over)
	p := dial(t, "tcp", addr)
	p.Upgrade(upgrade(addr, "/lobby"))
	p.echo(websockettest.Text("hello"))
	stop()
	p.wantClosed(1001, "the server is shutting down")
	if err := testkit.Await(t, over, "the end of the program"); err != nil {
		t.Error(err)
	}
}

// TestListenUnix is a socket that was left, and one that is wanted by no other
// users.
func TestListenUnix(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "wye.sock")
	for range 2 {
		l, err := listenUnix(path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o660 {
			t.Errorf("the socket's mode is %v, want 0660", got)
		}
		l.Close()
	}
}

// TestServerTimeouts is what the timeouts of http.Server do, and do not.
func TestServerTimeouts(t *testing.T) {
	t.Parallel()
	const short = 200 * time.Millisecond
	start := func(t *testing.T, srv *http.Server) (addr string) {
		t.Helper()
		srv.Handler = newBed(t, nil).mux()
		l, over := listen(t, "tcp", "127.0.0.1:0"), make(chan struct{})
		go func() {
			defer close(over)
			_ = srv.Serve(l)
		}()
		t.Cleanup(func() { _ = srv.Close(); <-over })
		return l.Addr().String()
	}
	t.Run("a connection outlives ReadTimeout and WriteTimeout", func(t *testing.T) {
		t.Parallel()
		p := dial(t, "tcp", start(t, &http.Server{ReadTimeout: short, WriteTimeout: short, IdleTimeout: short, ReadHeaderTimeout: short}))
		p.Upgrade(upgrade(domain, "/live/lobby"))
		<-time.After(3 * short)
		p.echo(websockettest.Text("still here"))
		p.close(1000, "")
	})
	t.Run("ReadHeaderTimeout cuts half a handshake", func(t *testing.T) {
		t.Parallel()
		p := dial(t, "tcp", start(t, &http.Server{ReadHeaderTimeout: short}))
		req := upgrade(domain, "/live/lobby")
		p.SendBytes([]byte(req[:len(req)/2]))
		p.WantEnd()
	})
}
