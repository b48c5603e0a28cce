package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// ChannelNameRouter is the Application of a layers.Worker. It passes the events of each
// channel to the application for that channel. Make it with [NewChannelNameRouter].
// All methods are safe for concurrent use.
type ChannelNameRouter struct {
	apps map[string]protocol.Application
}

var _ scopes.Finder = (*ChannelNameRouter)(nil)

// NewChannelNameRouter returns a router with an application for each channel. A channel
// matches only its exact name. An empty name and a nil application panic. See the
// Example.
func NewChannelNameRouter(apps map[string]protocol.Application) *ChannelNameRouter {
	for name, app := range apps {
		switch {
		case name == "":
			panic("wye: router.NewChannelNameRouter: a name is empty")
		case app == nil:
			panic(fmt.Sprintf("wye: router.NewChannelNameRouter: the application of %q is nil", name))
		}
	}
	return &ChannelNameRouter{apps: maps.Clone(apps)}
}

// Open opens the application for the channel of s. If there is none, the error matches
// protocol.ErrNoRoute and lists the channels that have one. If s has no channel, because
// the router is not behind a worker, the error does not match protocol.ErrNoRoute.
func (c *ChannelNameRouter) Open(s *protocol.Scope) (protocol.Handler, error) {
	if err := c.Find(s); err != nil {
		return nil, err
	}
	return c.apps[s.Channel()].Open(s)
}

// Find returns nil if there is an application for the channel of s, and otherwise the
// error that Open would return.
func (c *ChannelNameRouter) Find(s *protocol.Scope) error {
	switch {
	case s.Channel() == "":
		return fmt.Errorf("wye: router.ChannelNameRouter: a scope of type %q has no channel; put this router behind a layers.Worker", s.Type())
	case c.apps[s.Channel()] == nil:
		return fmt.Errorf("%w for the channel %q; known channels: %s", protocol.ErrNoRoute, s.Channel(), c.knownNames())
	}
	return nil
}

// Names returns the names of the channels that have an application, sorted. A
// layers.Worker takes events from these channels by default.
func (c *ChannelNameRouter) Names() []string { return slices.Sorted(maps.Keys(c.apps)) }

func (c *ChannelNameRouter) knownNames() string {
	if len(c.apps) == 0 {
		return "none"
	}
	return strings.Join(c.Names(), ", ")
}
