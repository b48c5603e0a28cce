package redis

import (
	"context"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// transport carries events to other nodes and to Django. It has all that differs between Pub/Sub and
// Core, in one place: hence so many methods.
type transport interface {
	// groupName returns the name in Redis that stands for a group, a channel or a key.
	groupName(group string) string
	// groupPrefix is what the names of all groups of a server start with, before the group.
	groupPrefix(s *server) string
	// groupShard returns the name of which the hash selects the server of a group.
	groupShard(group string) string
	// publish sends m to all other nodes and processes of Django that have members in group.
	publish(ctx context.Context, group string, m *driver.Message) error
	// publishRecorded sends an event, which a script has recorded and published to all nodes as
	// groupName, to the members of group in Django, if they have not received that.
	publishRecorded(ctx context.Context, group string, e *protocol.Event)
	// send sends e to the channel of a consumer on another node or in Django.
	send(ctx context.Context, channel string, e *protocol.Event) error
	// open opens the connection through which events arrive from a server. They arrive before
	// open has returned.
	open(ctx context.Context, s *server, c *commands) (intake, error)
	// carriesAll reports whether the events of all groups arrive from a server.
	carriesAll(s *server) bool
	// leave removes what Redis stores about this node. It does not wait for long.
	leave(ctx context.Context)
	// permissions returns the rules of an ACL that permit what is needed, besides those for
	// named channels.
	permissions() string
}

// intake is the connection through which events arrive from a server.
type intake interface {
	// change has the events of groups arrive, given by groupName, and those of others not.
	change(ctx context.Context, c *commands, add, drop []string) error
	// probe checks that events arrive.
	probe(ctx context.Context, c *commands) error
	// failure gets the error of the connection. It is closed when the connection has ended.
	failure() <-chan error
	// close closes the connection. After it has returned, nothing more is put into inboxes.
	close()
}
