package admission

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wye-go/wye/internal/rate"
	"github.com/wye-go/wye/protocol"
)

// ShutdownOptions say how a server closes its connections and refuses new ones when
// it shuts down. The zero value is ready for use.
type ShutdownOptions struct {
	// Code is the close code for open connections. Default CloseGoingAway (1001), which
	// also replaces a code that is not Sendable. 1012 (service restart) says that the
	// server comes back.
	Code protocol.CloseCode
	// Reason is the close reason. Default "the server is shutting down". If RetryAfter is
	// set, the default goes on with "; reconnect after 12 s", with a number of seconds of
	// its own for each connection.
	Reason string
	// RetryAfter is how long peers should wait before they connect again. Each peer gets
	// a random number of seconds between this and twice this, so that not all connect
	// again at once: in the Retry-After header of the 503 that refuses new connections,
	// and, if it is set, in the default Reason. Default 5 s.
	RetryAfter time.Duration
}

const (
	defaultRetryAfter = 5 * time.Second
	shuttingDown      = "the server is shutting down"
)

// Refusal returns the answer to a handshake that comes while the server shuts down:
// 503 with Retry-After.
func (o ShutdownOptions) Refusal() *protocol.RejectError {
	after := o.RetryAfter
	if after <= 0 {
		after = defaultRetryAfter
	}
	return protocol.NewRejectError(http.StatusServiceUnavailable, shuttingDown).RetryAfter(after)
}

// status closes one connection.
func (o ShutdownOptions) status() protocol.CloseStatus {
	s := protocol.CloseStatus{Code: o.Code, Reason: o.Reason, Err: &shutdownError{o}}
	if !s.Code.Sendable() {
		s.Code = protocol.CloseGoingAway
	}
	if s.Reason == "" {
		s.Reason = shuttingDown
		if o.RetryAfter > 0 {
			s.Reason += fmt.Sprintf("; reconnect after %d s", rate.Spread(o.RetryAfter))
		}
	}
	return s
}

// shutdownError is why a shutdown closed a connection.
type shutdownError struct{ options ShutdownOptions }

func (*shutdownError) Error() string { return "wye: " + shuttingDown }

// Refusal: a connection that is not accepted yet is refused as new
// ones are, whatever the code.
func (e *shutdownError) Refusal() *protocol.RejectError { return e.options.Refusal() }
