//go:build linux

// Package floortest runs a floor inside a test.
package floortest

import (
	"context"
	"testing"

	"github.com/wye-go/wye/bench/internal/floor"
)

// Start runs a floor on a loopback port until the test ends and returns its
// address. It fails the test if the floor does not end cleanly.
func Start(t testing.TB, raw bool) (addr string) {
	t.Helper()
	s, err := floor.Listen("127.0.0.1:0", raw)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("floor: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing the floor: %v", err)
		}
	})
	return s.Addr()
}
