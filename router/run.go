package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// readHeaderTimeout is srv's if it has none.
const readHeaderTimeout = 10 * time.Second

// Run serves until ctx ends and then shuts everything down, for at most grace.
// srv.Handler is r if it is nil; otherwise r is what stands somewhere behind it.
// A srv without ReadHeaderTimeout and ReadTimeout gets a ReadHeaderTimeout of
// 10 s, because a peer could hold a connection for ever by not finishing its
// request.
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := router.Run(ctx, &http.Server{Addr: ":8000"}, r, 10*time.Second)
//
// The order is: the listener closes, so that a load balancer sends no more;
// open connections are closed, as the options of their protocol say
// (websocket.Options.Shutdown; 1001 by default), while plain requests finish; connections
// on which nothing was ever said are cut; then the tasks of
// [ProtocolTypeRouter.Background] end, which have grace once more; Run returns
// when all of it is done.
// The error is that of listening or serving, or says what did not finish within
// grace. It is nil after a clean end.
func Run(ctx context.Context, srv *http.Server, r *ProtocolTypeRouter, grace time.Duration) error {
	addr := srv.Addr
	if addr == "" {
		addr = ":http"
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("wye: %w", err)
	}
	return Serve(ctx, l, srv, r, grace)
}

// Serve is [Run] on a listener, which it closes. It adds to srv.ConnState, whose
// own function is still called. For TLS, give it the listener of tls.NewListener,
// with "http/1.1" in its configuration's NextProtos.
func Serve(ctx context.Context, l net.Listener, srv *http.Server, r *ProtocolTypeRouter, grace time.Duration) error {
	if srv.Handler == nil {
		srv.Handler = r
	}
	if srv.ReadHeaderTimeout == 0 && srv.ReadTimeout == 0 {
		srv.ReadHeaderTimeout = readHeaderTimeout
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	tasks := r.runTasks(ctx, stop)
	err := serve(serving, l, srv, r, grace)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, tasks.end(end))
}

// serve is Serve without the tasks.
func serve(ctx context.Context, l net.Listener, srv *http.Server, r *ProtocolTypeRouter, grace time.Duration) error {
	silent := watchSilent(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return errors.Join(fmt.Errorf("wye: %w", err), r.Shutdown(end))
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return shutdown(end, srv, r, func() error {
		err := <-served
		silent.cut()
		return err
	})
}

// shutdown ends plain HTTP and the protocols side by side: http.Server closes
// its listener first of all, and waits for requests that may be handshakes.
func shutdown(ctx context.Context, srv *http.Server, r *ProtocolTypeRouter, served func() error) error {
	plain := make(chan error, 1)
	go func() { plain <- srv.Shutdown(ctx) }()
	ended := served() // the listener is closed, and nothing new comes in
	if errors.Is(ended, http.ErrServerClosed) {
		ended = nil
	}
	upgraded := r.Shutdown(ctx)
	err := <-plain
	if err != nil {
		err = errors.Join(fmt.Errorf("wye: plain HTTP: %w", err), srv.Close())
	}
	return errors.Join(ended, err, upgraded)
}
