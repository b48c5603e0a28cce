package matrix_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
)

// touchy is a ResponseWriter that panics where the one below cannot do what it
// is asked for: gin's does so for Hijack, echo's for Flush.
type touchy struct{ naive }

func (*touchy) Hijack() (net.Conn, *bufio.ReadWriter, error) { panic("no Hijacker below") }
func (*touchy) Flush()                                       { panic("no Flusher below") }

// TestPanickingWriter is that such a panic refuses the one connection, is seen
// in the log, and leaves nothing behind: newBed's shutdown would wait for it.
func TestPanickingWriter(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"/live/lobby": http.StatusInternalServerError, // Hijack
		"/live/full":  http.StatusForbidden,           // Flush
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			addr := b.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b.mux().ServeHTTP(&touchy{naive{ResponseWriter: w}}, r)
			}))
			if a := dial(t, "tcp", addr).ask(upgrade(addr, path)); a.Status != want {
				t.Errorf("status %d %q, want %d", a.Status, a.Body, want)
			}
			if want == http.StatusInternalServerError && !strings.Contains(b.log.String(), "no Hijacker below") {
				t.Errorf("the log does not say why:\n%s", b.log)
			}
		})
	}
}
