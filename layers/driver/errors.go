package driver

import "errors"

// The errors of a driver. Match them with errors.Is.
var (
	// ErrDown means that the back end cannot be reached. Members in the sender's
	// process receive what is sent all the same; members on other nodes do not.
	ErrDown = errors.New("wye: the layer's back end is down; delivery within this process goes on")
	// ErrChannelFull means that the named channel holds as many events as it may, and that
	// this one was not taken.
	ErrChannelFull = errors.New("wye: the channel is full; its worker is too slow or not running")
	// ErrLayerClosed means that the layer has been closed.
	ErrLayerClosed = errors.New("wye: the layer is closed")
	// ErrNoConsumer means that no consumer has the channel name that an event was sent to.
	ErrNoConsumer = errors.New("wye: no consumer has this channel name")
	// ErrBehind means that too many events of a group wait, because the members that
	// receive them are slow: the event was not recorded, or the member has not joined.
	ErrBehind = errors.New("wye: events of the group are recorded faster than its members receive them; try again later")
)
