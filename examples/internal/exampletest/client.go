package exampletest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// Do makes one HTTP request on a connection of its own. Of an upgrade that the
// server takes, it returns the answer and hangs up.
func Do(t testing.TB, method, url string, header http.Header, body string) websockettest.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	a := websockettest.Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Status == http.StatusSwitchingProtocols {
		return a
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	a.Body = string(got)
	return a
}
