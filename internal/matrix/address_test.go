package matrix_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestBehindProxy is whose word counts for where a request comes from.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at                    testkit.Line
		remote, header, where string
	}{
		{testkit.Here(), "127.0.0.1:1234", "192.0.2.1", "192.0.2.1:0"},
		{testkit.Here(), "[::1]:1234", "2001:db8::1", "[2001:db8::1]:0"},
		{testkit.Here(), "[::ffff:127.0.0.1]:1234", "192.0.2.1", "192.0.2.1:0"},
		{testkit.Here(), "@", "192.0.2.1", "192.0.2.1:0"},
		{testkit.Here(), "198.51.100.7:1234", "192.0.2.1", "198.51.100.7:1234"}, // no proxy of ours
		{testkit.Here(), "", "192.0.2.1", ""},
		{testkit.Here(), "127.0.0.1:1234", "", "127.0.0.1:1234"},
		{testkit.Here(), "127.0.0.1:1234", "192.0.2.1, 192.0.2.2", "127.0.0.1:1234"}, // the proxy does not replace it
		{testkit.Here(), "127.0.0.1:1234", "nonsense", "127.0.0.1:1234"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = row.remote
		r.Header.Set("X-Forwarded-For", row.header)
		var got string
		behindProxy(onThisMachine, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(nil, r)
		if got != row.where {
			t.Errorf("%s: %q with %q is taken for %q, want %q", row.at, row.remote, row.header, got, row.where)
		}
		if r.RemoteAddr != row.remote {
			t.Errorf("%s: the request of others was changed", row.at)
		}
	}
}
