package handshake

import (
	"net/http"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

func TestAcceptKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // RFC 6455 section 1.3
		"xdT5lKSuUI5vXFucwiG9Ig==": "LKbtQ+1FimQ7NVxE5GJkpRMtFXo=",
		"mnwFxiOlctXFN/DeMt1Amg==": "oRjiwsm8ZS/eLqIQ6p82z1wgGHE=",
	} {
		if got := AcceptKey(http.Header{"Sec-Websocket-Key": {key}}); string(got[:]) != want {
			t.Errorf("the accept key of %q is %q, want %q", key, got, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	const first = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	rows := []struct {
		at                      testkit.Line
		subprotocol             string
		middleware, application http.Header
		want                    string
	}{
		{testkit.Here(), "", nil, nil, ""},
		{testkit.Here(), "chat", nil, nil, "Sec-WebSocket-Protocol: chat\r\n"},
		{testkit.Here(), "", http.Header{"X-A": {"1"}}, nil, "X-A: 1\r\n"},
		{testkit.Here(), "", nil, http.Header{"x-a": {"1", "2"}}, "X-A: 1\r\nX-A: 2\r\n"},
		{testkit.Here(), "chat", http.Header{"X-A": {"1"}}, http.Header{"X-A": {"2"}}, "Sec-WebSocket-Protocol: chat\r\nX-A: 1\r\nX-A: 2\r\n"},
		{testkit.Here(), "", http.Header{"Connection": {"close"}, "content-length": {"3"}, "Sec-WebSocket-Extensions": {"x"}}, nil, ""},
		{testkit.Here(), "", http.Header{"X-A": {"1\r\nX-B: 2"}}, nil, "X-A: 1  X-B: 2\r\n"},
	}
	key := AcceptKey(handshaketest.Request().Header)
	for _, row := range rows {
		a := Answer{Key: &key, Subprotocol: row.subprotocol, Middleware: row.middleware, Application: row.application}
		if got, want := string(a.Append([]byte("before "))), "before "+first+row.want+"\r\n"; got != want {
			t.Errorf("%s: got %q, want %q", row.at, got, want)
		}
	}
}

func TestCheckHeader(t *testing.T) {
	t.Parallel()
	for _, name := range reservedHeaders {
		if err := CheckHeader(http.Header{"X-A": {"1"}, name: {""}}); err == nil {
			t.Errorf("%s is let through", name)
		}
	}
	if err := CheckHeader(http.Header{"sec-websocket-accept": {""}}); err == nil {
		t.Error("a reserved header in small letters is let through")
	}
	if err := CheckHeader(http.Header{"Set-Cookie": {"a=b"}}); err != nil {
		t.Error(err)
	}
}
