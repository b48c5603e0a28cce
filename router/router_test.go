package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// fake is a protocol that matches requests with its type in the Upgrade header.
type fake struct {
	typ      string
	shutdown func(ctx context.Context) error
}

var _ protocol.Protocol = (*fake)(nil)

func (f *fake) Type() string               { return f.typ }
func (f *fake) Match(r *http.Request) bool { return r.Header.Get("Upgrade") == f.typ }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, f.typ+" "+r.URL.Path)
}

func (f *fake) Shutdown(ctx context.Context) error {
	if f.shutdown == nil {
		return nil
	}
	return f.shutdown(ctx)
}

// ask returns the answer to a request for /x/, with an Upgrade header if upgrade is not "".
func ask(h http.Handler, upgrade string) (status int, text string) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/x/", nil)
	if upgrade != "" {
		r.Header.Set("Upgrade", upgrade)
		r.Header.Set("Connection", "Upgrade")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestDecision10_RequestsGoToTheirProtocol(t *testing.T) {
	t.Parallel()
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "plain "+r.URL.Path) })
	ws, sse := &fake{typ: "websocket"}, &fake{typ: "sse"}
	rows := []struct {
		at      testkit.Line
		name    string
		router  *router.ProtocolTypeRouter
		upgrade string
		status  int
		want    string
	}{
		{testkit.Here(), "plain HTTP", router.New(plain, ws, sse), "", 200, "plain /x/"},
		{testkit.Here(), "the first protocol", router.New(plain, ws, sse), "websocket", 200, "websocket /x/"},
		{testkit.Here(), "the second protocol", router.New(plain, ws, sse), "sse", 200, "sse /x/"},
		{testkit.Here(), "an upgrade to another protocol goes to plain", router.New(plain, ws, sse), "h2c", 200, "plain /x/"},
		{testkit.Here(), "only plain HTTP", router.New(plain), "websocket", 200, "plain /x/"},
		{testkit.Here(), "no plain handler, and none is needed", router.New(nil, ws), "websocket", 200, "websocket /x/"},
		{testkit.Here(), "no plain", router.New(nil, ws), "", 404, "this request is for plain HTTP; only websocket is served here"},
		{testkit.Here(), "no plain, two protocols", router.New(nil, ws, sse), "", 404, "this request is for plain HTTP; only websocket and sse are served here"},
		{testkit.Here(), "no plain, another upgrade", router.New(nil, ws), "h2c", 404, `this request is for the protocol "h2c"; only websocket is served here`},
		{testkit.Here(), "nothing at all", router.New(nil), "", 404, "this request is for plain HTTP; nothing is served here yet"},
		{testkit.Here(), "an upgrade that is too long to quote", router.New(nil), strings.Repeat("x", 1000), 404, `this request is for the protocol "` + strings.Repeat("x", 40) + `"; nothing is served here yet`},
	}
	for _, row := range rows {
		if status, got := ask(row.router, row.upgrade); status != row.status || got != row.want {
			t.Errorf("%s: %s: answered %d %q, want %d %q", row.at, row.name, status, got, row.status, row.want)
		}
	}
}

func TestDecision10_RouterBehindMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/x/", router.New(http.NotFoundHandler(), &fake{typ: "websocket"}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "elsewhere") })
	if status, got := ask(mux, "websocket"); status != 200 || got != "websocket /x/" {
		t.Errorf("the upgrade is answered %d %q", status, got)
	}
	if status, got := ask(mux, ""); status != 404 || !strings.Contains(got, "404") {
		t.Errorf("plain HTTP on the same URL is answered %d %q", status, got)
	}
}

func TestShutdownIsConcurrentAndJoinsErrors(t *testing.T) {
	t.Parallel()
	errA, errC := errors.New("a is stuck"), errors.New("c is stuck")
	met := make(chan struct{})
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	meet := func(err error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if ctx.Value(key{}) != "the caller's" {
				t.Error("a protocol got a different context")
			}
			select { // returns only when both protocols are here
			case met <- struct{}{}:
			case <-met:
			}
			return err
		}
	}
	r := router.New(nil, &fake{typ: "a", shutdown: meet(errA)}, &fake{typ: "b"}, &fake{typ: "c", shutdown: meet(errC)})
	if err := r.Shutdown(ctx); !errors.Is(err, errA) || !errors.Is(err, errC) {
		t.Errorf("Shutdown returned %v, want both errors", err)
	}
	if err := router.New(nil, &fake{typ: "a"}).Shutdown(ctx); err != nil {
		t.Errorf("a clean Shutdown returned %v", err)
	}
	if err := router.New(nil).Shutdown(ctx); err != nil {
		t.Errorf("Shutdown of nothing returned %v", err)
	}
}
