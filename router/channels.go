package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// ChannelNameRouter is an Application that hands what arrives on a worker's
// channel to the application for that channel. Make it with [NewChannelNameRouter]. Safe for
// concurrent use.
type ChannelNameRouter struct {
	apps map[string]protocol.Application
}

var _ protocol.Finder = (*ChannelNameRouter)(nil)

// Channels returns a router by the names of channels, which are compared as they
// are. An empty name and a nil application panic.
//
//	router.NewChannelNameRouter(map[string]protocol.Application{
//		"thumbnails": thumbnails,
//		"mail":       mail,
//	})
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

// Open hands s to the application of s.Channel. If there is none the error is
// protocol.ErrNoRoute and says which there are. A scope without a channel is
// another one: the router stands behind something that is no worker.
func (c *ChannelNameRouter) Open(s *protocol.Scope) (protocol.Handler, error) {
	if err := c.Find(s); err != nil {
		return nil, err
	}
	return c.apps[s.Channel()].Open(s)
}

// Find returns nil if there is an application for s, and what Open returns if
// there is none.
func (c *ChannelNameRouter) Find(s *protocol.Scope) error {
	switch {
	case s.Channel() == "":
		return fmt.Errorf("wye: a ChannelNameRouter got a scope of type %q without a channel; it belongs behind a worker", s.Type())
	case c.apps[s.Channel()] == nil:
		return fmt.Errorf("%w for the channel %q; there are %s", protocol.ErrNoRoute, s.Channel(), c.known())
	}
	return nil
}

// Names are the channels that are served, sorted, for workers to listen on.
func (c *ChannelNameRouter) Names() []string { return slices.Sorted(maps.Keys(c.apps)) }

func (c *ChannelNameRouter) known() string {
	if len(c.apps) == 0 {
		return "none"
	}
	return strings.Join(c.Names(), ", ")
}
