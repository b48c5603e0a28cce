//go:build !linux

package router

import (
	"context"
	"net"
)

// listen is net.Listen.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", addr) //nolint:wrapcheck // Run does
}
