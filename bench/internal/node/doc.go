// Package node drives the nodes of a layer, which the command nodes measures. A node is a
// process of its own, with members that only count. It reads requests from its standard
// input and writes an answer to each, as JSON, one to a line, and ends with its input. Of
// two nodes one sends and the other one acknowledges to it, through a pipe that is the
// descriptor [Pipe] of both, so that the sender can keep a number of messages under way.
//
// A node in another language follows [Request] and [Reply].
package node

// Pipe is the descriptor of the pipe between two nodes. Each byte acknowledges
// Request.Acknowledge messages, which all members of the other node have received.
const Pipe = 3

// What a Request asks for.
const (
	// Join makes Members new members join each of the groups from First on, Groups of them.
	Join = "join"
	// Expect says how messages are to be counted and acknowledged from now on.
	Expect = "expect"
	// Start starts to send to the first group.
	Start = "start"
	// Stop ends that. It is answered when no send is under way.
	Stop = "stop"
	// Send sends one message to the group First.
	Send = "send"
	// Stats asks for the figures.
	Stats = "stats"

	// What follows is for nodes that are a [Store], and is about the group First.

	// Recover recovers Missed messages, Times times.
	Recover = "recover"
	// Enter enters Members presences with the numbers from From on, Senders at a time.
	Enter = "enter"
	// Present reads all presences, Times times.
	Present = "present"
	// Count counts them, Times times.
	Count = "count"
)

// Request is what a node is asked for.
type Request struct {
	Do string `json:"do"`

	First   int `json:"first,omitempty"`
	Groups  int `json:"groups,omitempty"`
	Members int `json:"members,omitempty"`

	// Acknowledge is, for Expect, how many messages, with a delivery to each of Members
	// members of the node, are acknowledged together. 0 means that none are.
	Acknowledge int `json:"acknowledge,omitempty"`

	// Senders send at the same time, each the next message when the last one has been
	// accepted.
	Senders int `json:"senders,omitempty"`
	// Window is how many messages are under way at most. 0 means that Rate decides.
	Window int `json:"window,omitempty"`
	// Peers are how many nodes acknowledge: 1 if only the other one has members, or 2.
	Peers int `json:"peers,omitempty"`
	// Rate is how many messages are sent in a second. 0 means that Window decides.
	Rate float64 `json:"rate,omitempty"`
	// Record has what is sent kept as well.
	Record bool `json:"record,omitempty"`

	Missed int `json:"missed,omitempty"`
	Times  int `json:"times,omitempty"`
	From   int `json:"from,omitempty"`
}

// Reply is what a node answers. Its times are nanoseconds; points in time are those of the
// system's clock, which all nodes share.
type Reply struct {
	// Error is what went wrong, also in sends since the last reply.
	Error string `json:"error,omitempty"`

	At         int64 `json:"at"`
	User       int64 `json:"user"` // CPU time of the node
	System     int64 `json:"system"`
	Sends      int64 `json:"sends"`
	Deliveries int64 `json:"deliveries"`
	// Latencies are, since the last Stats, those from the call of a send to the delivery to
	// some of the members, in the buckets of package hist.
	Latencies map[int]uint64 `json:"latencies,omitempty"`
	// Heard is how many members have received something since the last Expect, and HeardAt
	// when the last of them did so for the first time.
	Heard   int   `json:"heard"`
	HeardAt int64 `json:"heard_at"`
	// Found is how many messages or presences the request has read or entered.
	Found int `json:"found,omitempty"`
}
