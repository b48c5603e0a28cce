package load

import (
	"fmt"
	"strings"
)

// Result is what a run has measured, warm-up and connecting excluded.
type Result struct {
	Scenario Scenario `json:"scenario"`
	URL      string   `json:"url"`
	Conns    int      `json:"conns"`
	Size     int      `json:"size,omitempty"`
	Data     Data     `json:"data,omitempty"`
	Depth    int      `json:"depth,omitempty"`
	Rate     int      `json:"rate,omitempty"`
	// SleepEvery is which messages let the server's callback sleep.
	SleepEvery int `json:"sleep_every,omitempty"`

	Seconds float64 `json:"seconds"`
	// Messages counts the answers, in a room the deliveries, of handshakes the
	// connections.
	Messages  uint64  `json:"messages"`
	PerSecond float64 `json:"per_second"`
	P50us     float64 `json:"p50_us"`
	P99us     float64 `json:"p99_us"`

	// Deflate tells that the run was compressed.
	Deflate bool `json:"deflate,omitempty"`
	// WireBytes is how many bytes the client has received per message.
	WireBytes float64 `json:"wire_bytes,omitempty"`

	// Server is nil unless the process was known.
	Server *Server `json:"server,omitempty"`
	Client Cost    `json:"client"`
	// Others are the costs of the processes in Config.OtherPIDs, per message.
	Others []Cost `json:"others,omitempty"`
	// ClientBound tells that the load generator itself ran out of CPU while the
	// server had some left. The server's cost per message still holds, with the
	// note that it was less than busy; the rate and the latency are the
	// client's.
	ClientBound bool `json:"client_bound"`
}

// Server is what the run cost the server.
type Server struct {
	Cost
	Memory
	// HandshakeNs is the CPU time per connection opened, before anything else
	// is done. Zero in a run that is about nothing else.
	HandshakeNs float64 `json:"handshake_ns"`
}

// Memory is the growth since before the first connection, per connection at a time, in
// bytes.
type Memory struct {
	// RSSPerConn is of the resident set. If the server was probed, its garbage had been
	// collected, and UnsettledRSS is what it was just before that.
	RSSPerConn   float64 `json:"rss_per_conn"`
	UnsettledRSS float64 `json:"unsettled_rss_per_conn,omitempty"`
	// HeapPerConn is of live objects, StackPerConn of goroutines' stacks, and Goroutines
	// their number. Zero if the server was not probed.
	HeapPerConn  float64 `json:"heap_per_conn,omitempty"`
	StackPerConn float64 `json:"stack_per_conn,omitempty"`
	Goroutines   float64 `json:"goroutines_per_conn,omitempty"`
}

// Cost is CPU time.
type Cost struct {
	// UserNs and SysNs are CPU time per message and add up to TotalNs. Zero if
	// there were no messages.
	UserNs  float64 `json:"user_ns"`
	SysNs   float64 `json:"sys_ns"`
	TotalNs float64 `json:"total_ns"`
	// Cores is CPU time over wall time.
	Cores float64 `json:"cores"`
	// Waiting is the time that threads were ready to run and had no core, over
	// wall time. It tells how much other processes have disturbed the run.
	Waiting float64 `json:"waiting"`
}

// cost shares out the CPU time used over a window.
func cost(u usage, seconds float64, messages uint64) Cost {
	c := Cost{Cores: u.cpu.Seconds() / seconds, Waiting: u.waiting.Seconds() / seconds}
	if messages == 0 {
		return c
	}
	c.TotalNs = float64(u.cpu.Nanoseconds()) / float64(messages)
	c.UserNs = c.TotalNs * u.userShare()
	c.SysNs = c.TotalNs - c.UserNs
	return c
}

// busy is the share of a core from which one thread is held to have no more to
// give, waiting for a core included.
const busy = 0.9

// clientBound decides ClientBound.
func clientBound(client Cost, server *Server) bool {
	if client.Cores+client.Waiting < busy {
		return false
	}
	return server == nil || server.Cores+server.Waiting < busy
}

// String returns the result on one line.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d conns", r.Scenario, r.Conns)
	switch r.Scenario {
	case Idle:
		fmt.Fprintf(&b, " for %.2f s", r.Seconds)
	case Handshake:
		b.WriteString(" at a time: ")
	case Paced:
		fmt.Fprintf(&b, " x %d B, %d/s, every %d sleeps: ", r.Size, r.Rate, r.SleepEvery)
	default:
		fmt.Fprintf(&b, " x %d B %s, depth %d: ", r.Size, r.Data, r.Depth)
	}
	if r.Scenario != Idle {
		fmt.Fprintf(&b, "%d msgs in %.2f s, %.0f/s, p50 %.0f us, p99 %.0f us",
			r.Messages, r.Seconds, r.PerSecond, r.P50us, r.P99us)
		fmt.Fprintf(&b, ", %.0f B on the wire", r.WireBytes)
	}
	if s := r.Server; s != nil {
		fmt.Fprintf(&b, "; server %v", s.Cost)
		if r.Scenario != Handshake {
			fmt.Fprintf(&b, ", %.0f B RSS/conn, %.1f us/handshake", s.RSSPerConn, s.HandshakeNs/1e3)
		}
		if s.HeapPerConn != 0 {
			fmt.Fprintf(&b, ", %.0f B heap/conn", s.HeapPerConn)
		}
	}
	fmt.Fprintf(&b, "; client %v", r.Client)
	if r.ClientBound {
		b.WriteString("; CLIENT-BOUND")
	}
	return b.String()
}

// String returns the cost in a few words.
func (c Cost) String() string {
	return fmt.Sprintf("%.0f ns/msg (user %.0f, sys %.0f), %.2f cores", c.TotalNs, c.UserNs, c.SysNs, c.Cores)
}
