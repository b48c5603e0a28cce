package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// retryAfter is what a refusal's Retry-After says, or -1.
func retryAfter(e *protocol.RejectError) int {
	n, err := strconv.Atoi(e.Header.Get("Retry-After"))
	if err != nil {
		return -1
	}
	return n
}

// TestRetryAfter spreads those that are refused over as long as they wait.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at    testkit.Line
		after time.Duration
		least int // seconds
	}{
		{testkit.Here(), 0, 1},
		{testkit.Here(), -time.Hour, 1},
		{testkit.Here(), time.Millisecond, 1},
		{testkit.Here(), time.Second, 1},
		{testkit.Here(), 1500 * time.Millisecond, 2},
		{testkit.Here(), 30 * time.Second, 30},
	} {
		seen := map[int]bool{}
		for range 2000 {
			e := protocol.AsRejectError(protocol.NewRejectError(http.StatusTooManyRequests, "later").RetryAfter(row.after))
			n := retryAfter(e)
			if e.Status != http.StatusTooManyRequests || e.Body != "later" || n < row.least || n > 2*row.least {
				t.Fatalf("%s: got %+v, want %d to %d", row.at, e, row.least, 2*row.least)
			}
			seen[n] = true
		}
		if len(seen) != row.least+1 {
			t.Errorf("%s: %d different numbers, want all from %d to %d", row.at, len(seen), row.least, 2*row.least)
		}
	}
}

// TestShutdownOptions closes an open connection and refuses one that is not
// answered yet.
func TestShutdownOptions(t *testing.T) {
	t.Parallel()
	const hint = "the server is shutting down; reconnect after "
	for _, row := range []struct {
		at      testkit.Line
		o       admission.ShutdownOptions
		code    protocol.CloseCode
		reason  string // or its beginning, if it ends with a space
		refused int    // least seconds
	}{
		{testkit.Here(), admission.ShutdownOptions{}, 1001, "the server is shutting down", 5},
		{testkit.Here(), admission.ShutdownOptions{Code: 1012}, 1012, "the server is shutting down", 5},
		{testkit.Here(), admission.ShutdownOptions{Code: 1012, RetryAfter: 20 * time.Second}, 1012, hint, 20},
		{testkit.Here(), admission.ShutdownOptions{Code: 4001, Reason: "bye", RetryAfter: 20 * time.Second}, 4001, "bye", 20},
		{testkit.Here(), admission.ShutdownOptions{Code: 1005}, 1001, "the server is shutting down", 5},
	} {
		r := open(t, &fakes.Handler{}, protocol.Limits{})
		over := make(chan struct{})
		close(over)
		if err := admission.CloseAll(t.Context(), []*protocol.Conn{r.Conn()}, over, row.o); err != nil {
			t.Errorf("%s: %v", row.at, err)
		}
		st := r.wire.closing(t)
		reason := st.Reason
		if strings.HasPrefix(reason, hint) {
			var seconds int
			if _, err := fmt.Sscanf(reason, hint+"%d s", &seconds); err != nil || seconds < row.refused || seconds > 2*row.refused {
				t.Errorf("%s: %q, want %d to %d s", row.at, reason, row.refused, 2*row.refused)
			}
			reason = hint
		}
		if st.Code != row.code || reason != row.reason {
			t.Errorf("%s: closed with %+v, want %d %q", row.at, st, row.code, row.reason)
		}
		r.vanish()
		for name, e := range map[string]*protocol.RejectError{"a new one": row.o.Refusal(), "one that waits": refusedBy(t, row.o)} {
			if n := retryAfter(e); e.Status != http.StatusServiceUnavailable || n < row.refused || n > 2*row.refused {
				t.Errorf("%s: %s is refused with %+v, want 503 and Retry-After %d or more", row.at, name, e, row.refused)
			}
		}
	}
}

// refusedBy is the answer to a handshake whose Connect waits while the server
// shuts down.
func refusedBy(t *testing.T, o admission.ShutdownOptions) *protocol.RejectError {
	t.Helper()
	h := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
		over := make(chan struct{})
		close(over)
		if err := admission.CloseAll(t.Context(), []*protocol.Conn{c}, over, o); err != nil {
			t.Error(err)
		}
		return c.Context().Err()
	}}
	r := newRig(h, protocol.Limits{})
	r.Open()
	return r.wire.rejection(t)
}
