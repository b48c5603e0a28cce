package consumer

import (
	"context"
	"encoding/json"

	"github.com/wye-go/wye/protocol"
)

// JSONConsumer is a [Consumer] that receives decoded messages. In may be any
// type that encoding/json decodes into.
type JSONConsumer[In any] interface {
	// Connect decides; see [Consumer].
	Connect(ctx context.Context, c *Conn) error
	// ReceiveJSON handles a message. in is its own, and may be kept.
	ReceiveJSON(ctx context.Context, c *Conn, in In) error
	// Disconnect says farewell; see [Consumer].
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// JSON is [New] for a consumer of decoded messages; In is inferred. A binary
// message closes the connection with 1003, and one that does not decode with
// 1007, as the peer's mistakes: neither reaches the consumer.
func JSON[C JSONConsumer[In], In any](factory func(*Scope) C, opts ...Option[C]) protocol.Application {
	receive := func(v C, ctx context.Context, c *Conn, m Message) error {
		if m.Kind != protocol.KindText {
			return protocol.Close(protocol.CloseUnsupportedData, "JSON is expected, in text messages")
		}
		var in In
		if err := json.Unmarshal(m.Data, &in); err != nil {
			return protocol.Close(protocol.CloseInvalidPayload, "not the JSON that is expected")
		}
		return v.ReceiveJSON(ctx, c, in)
	}
	return build(factory, receive, opts)
}
