package layers

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// CloseGroup closes every connection in group, on every node, with code and reason, as
// protocol.Conn.Close does. It does not wait for callbacks, and the consumer needs no handler
// for it. Messages in the outgoing queues are sent before the close; events that wait for
// consumers are dropped and counted. Connections that join later stay open. A callback may
// close the group of its own connection.
//
// Many peers that are closed at the same time may connect again at the same time: choose a
// code for which your clients do not connect again. Errors as in [Layer.GroupSend], and an
// error for a code that a server cannot send.
func (l *Layer) CloseGroup(ctx context.Context, group string, code protocol.CloseCode, reason string) error {
	if err := validClose(code); err != nil {
		return err
	}
	return l.GroupSend(ctx, group, Close.New(Closing{Code: int(code), Reason: reason}))
}

// CloseChannel is CloseGroup for the one connection that has this channel name. If no
// connection has it, CloseChannel returns nil.
func (l *Layer) CloseChannel(ctx context.Context, channel string, code protocol.CloseCode, reason string) error {
	if err := validClose(code); err != nil {
		return err
	}
	if _, specific := driver.NodeOf(channel); !specific {
		return fmt.Errorf("wye: CloseChannel: %q is not the channel of a consumer; use the name that Conn.Channel returned", channel)
	}
	return l.Send(ctx, channel, Close.New(Closing{Code: int(code), Reason: reason}))
}

func validClose(code protocol.CloseCode) error {
	if !code.Sendable() {
		return fmt.Errorf("wye: a server cannot close with %v; use 1000 to 1014, except 1004 to 1006 and 1010, or 3000 to 4999", code)
	}
	return nil
}
