package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// defaultReadHeaderTimeout is set on a server that has neither a ReadHeaderTimeout nor
// a ReadTimeout.
const defaultReadHeaderTimeout = 10 * time.Second

// Run listens on srv.Addr and serves r until ctx is done. Then it shuts down, which
// takes at most grace, and once more grace for background tasks, and returns:
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := router.Run(ctx, &http.Server{Addr: ":8000"}, r, 10*time.Second)
//
// Shutdown has these steps:
//
//  1. The listener closes.
//  2. Connections are closed as the options of their protocol say
//     (websocket.Options.Shutdown; code 1001 by default). At the same time, plain
//     requests finish, and connections that have not sent a request are closed.
//  3. The tasks of [ProtocolTypeRouter.Background] end.
//
// Run returns nil after a clean shutdown. Otherwise its error says why it could not
// listen or serve, which task failed, or what did not finish in time.
//
// Run sets fields of srv. srv.Handler becomes r if it is nil; if it is not nil, it must
// be a handler that leads to r. ReadHeaderTimeout becomes 10 s if it and ReadTimeout are
// zero, because otherwise a peer that never finishes its request would hold a connection
// forever.
func Run(ctx context.Context, srv *http.Server, r *ProtocolTypeRouter, grace time.Duration) error {
	addr := srv.Addr
	if addr == "" {
		addr = ":http"
	}
	l, err := listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("wye: %w", err)
	}
	return Serve(ctx, l, srv, r, grace)
}

// Serve is [Run] on a listener that the caller has opened. Serve closes it. For TLS,
// pass the result of tls.NewListener, with "http/1.1" in the NextProtos of its
// configuration.
//
// Serve sets srv.ConnState to a function that also calls the one that was set before.
func Serve(ctx context.Context, l net.Listener, srv *http.Server, r *ProtocolTypeRouter, grace time.Duration) error {
	if srv.Handler == nil {
		srv.Handler = r
	}
	if srv.ReadHeaderTimeout == 0 && srv.ReadTimeout == 0 {
		srv.ReadHeaderTimeout = defaultReadHeaderTimeout
	}
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	tasks := startTasks(ctx, r.backgroundTasks(), stopServing)
	err := serve(serving, l, srv, r, grace)
	tasksCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, tasks.stop(tasksCtx))
}

// serve is Serve without the background tasks.
func serve(ctx context.Context, l net.Listener, srv *http.Server, r *ProtocolTypeRouter, grace time.Duration) error {
	unused := trackUnused(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return errors.Join(fmt.Errorf("wye: %w", err), r.Shutdown(shutdownCtx))
	case <-ctx.Done():
	}
	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return shutdown(shutdownCtx, srv, r, func() error {
		err := <-served
		unused.closeAll()
		return err
	})
}

// shutdown shuts down srv and the protocols at the same time. waitServed returns when
// srv.Serve has returned. The protocols start only then: the listener is closed, so
// that no new connection comes in, while srv still waits for requests that may be
// handshakes.
func shutdown(ctx context.Context, srv *http.Server, r *ProtocolTypeRouter, waitServed func() error) error {
	plain := make(chan error, 1)
	go func() { plain <- srv.Shutdown(ctx) }()
	serveErr := waitServed()
	if errors.Is(serveErr, http.ErrServerClosed) {
		serveErr = nil
	}
	protocolsErr := r.Shutdown(ctx)
	plainErr := <-plain
	if plainErr != nil {
		plainErr = errors.Join(fmt.Errorf("wye: plain HTTP: %w", plainErr), srv.Close())
	}
	return errors.Join(serveErr, plainErr, protocolsErr)
}
