package websocket

import "github.com/wye-go/wye/protocol/websocket/internal/engine"

// ErrPongTimeout is the CloseStatus.Err of a connection that was cut because
// nothing came from its peer, not even the answer to a ping.
var ErrPongTimeout = engine.ErrPongTimeout
