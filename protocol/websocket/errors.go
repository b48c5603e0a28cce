package websocket

import "github.com/wye-go/wye/protocol/websocket/internal/engine"

// ErrPongTimeout is the CloseStatus.Err of a connection that was cut because its peer did
// not answer a ping within Options.PongTimeout, and sent nothing else.
var ErrPongTimeout = engine.ErrPongTimeout
