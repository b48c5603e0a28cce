package websocket

import (
	"fmt"
	"log/slog"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
)

// Engine chooses how the connections of a [Server] are run. What an application sees is the
// same for all: see "May my callback block?" in the package documentation.
type Engine uint8

// The engines.
const (
	// EngineAuto runs a connection on an event loop where that can be, and otherwise with
	// a goroutine: on Linux, each connection that is exactly a *net.TCPConn or a
	// *net.UnixConn is on a loop.
	EngineAuto Engine = iota
	// EngineGoroutine gives each connection a goroutine of its own, on every system. An
	// idle connection takes about seven times the memory that it takes on a loop.
	EngineGoroutine
	// EngineLoop is EngineAuto for a server that relies on loops: New panics on a system
	// that has none, and a connection that cannot be on a loop, because it is wrapped, for
	// example by TLS, is logged (the first one in ten seconds) and run with a goroutine.
	EngineLoop
)

// String returns "auto", "goroutine" or "loop".
func (e Engine) String() string {
	switch e {
	case EngineAuto:
		return "auto"
	case EngineGoroutine:
		return "goroutine"
	case EngineLoop:
		return "loop"
	}
	return fmt.Sprintf("Engine(%d)", uint8(e))
}

// UnmarshalText reads what String writes, for flags and configuration files.
func (e *Engine) UnmarshalText(text []byte) error {
	for _, known := range []Engine{EngineAuto, EngineGoroutine, EngineLoop} {
		if string(text) == known.String() {
			*e = known
			return nil
		}
	}
	return fmt.Errorf("wye: websocket.Engine: %q is unknown; write auto, goroutine or loop", text)
}

// MarshalText returns String.
func (e Engine) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// check panics if e is unknown, or if this system cannot run it.
func (e Engine) check() {
	switch {
	case e > EngineLoop:
		panic(fmt.Sprintf("wye: websocket.Options.Engine: %v is unknown; use EngineAuto, EngineGoroutine or EngineLoop", e))
	case e == EngineLoop && !engine.LoopsWork():
		panic("wye: websocket.Options.Engine: EngineLoop needs Linux, because the loops use epoll; leave Engine 0 for what this system has")
	}
}

// logOffLoop logs why a connection is not on a loop.
func (s *Server) logOffLoop(_ *protocol.Conn, why error) {
	if s.opts.Engine != EngineLoop {
		return
	}
	s.warnings.Log(s.opts.Logger, slog.LevelWarn, "loop", "wye: a connection cannot be on an event loop, although Options.Engine asks for it",
		func() []any { return []any{"why", why} })
}
