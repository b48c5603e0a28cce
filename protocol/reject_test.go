package protocol_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestRejectErrorServes: what a refusal looks like as an HTTP answer. The header is
// all there is, but for a Vary that was there before.
func TestRejectErrorServes(t *testing.T) {
	t.Parallel()
	const plain = "text/plain; charset=utf-8"
	for _, test := range []struct {
		at     testkit.Line
		err    error
		status int
		header http.Header // but for Content-Length
		body   string
	}{
		{testkit.Here(), &protocol.RejectError{}, 403, http.Header{"Content-Type": {plain}}, "Forbidden\n"},
		{testkit.Here(), protocol.NewRejectError(410, "gone with the wind"), 410, http.Header{"Content-Type": {plain}}, "gone with the wind\n"},
		{testkit.Here(), protocol.NewRejectError(200, "no refusal"), 500, http.Header{"Content-Type": {plain}}, "Internal Server Error\n"},
		{
			testkit.Here(), &protocol.RejectError{Status: 401, Header: http.Header{"www-authenticate": {"Basic", "Bearer"}}}, 401,
			http.Header{"Content-Type": {plain}, "Www-Authenticate": {"Basic", "Bearer"}}, "Unauthorized\n",
		},
		{
			testkit.Here(), &protocol.RejectError{Status: 404, Header: http.Header{"Content-Type": {"application/json"}}, Body: "{}"}, 404,
			http.Header{"Content-Type": {"application/json"}}, "{}\n",
		},
		{
			testkit.Here(), &protocol.RejectError{Status: 403, Header: http.Header{"Vary": {"Origin"}}}, 403,
			http.Header{"Content-Type": {plain}, "Vary": {"Origin"}}, "Forbidden\n",
		},
		{testkit.Here(), errInternal, 500, http.Header{"Content-Type": {plain}}, "Internal Server Error\n"},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Vary", "Cookie")
		chosen, ok := errors.AsType[*protocol.RejectError](test.err)
		if !ok {
			chosen = protocol.AsRejectError(test.err)
		}
		chosen.ServeHTTP(w, request())
		want := http.Header{"Vary": {"Cookie"}, "Content-Length": {strconv.Itoa(len(test.body))}}
		if test.header.Get("Content-Type") == plain {
			want.Set("X-Content-Type-Options", "nosniff")
		}
		maps.Copy(want, test.header)
		if w.Code != test.status || w.Body.String() != test.body || !maps.EqualFunc(w.Header(), want, slices.Equal) || !w.Flushed {
			t.Errorf("%s: got %d %q %v, flushed: %t; want %d %q %v", test.at, w.Code, w.Body, w.Header(), w.Flushed, test.status, test.body, want)
		}
	}
}

// TestRejectErrorServesWhatItIs: to answer changes nothing about the error, and
// middleware may change its header later.
func TestRejectErrorServesWhatItIs(t *testing.T) {
	t.Parallel()
	e := &protocol.RejectError{Header: http.Header{"X-Name": {"a"}}}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, request())
	w.Header()["X-Name"][0] = "changed"
	if e.Status != 0 || e.Body != "" || e.Header.Get("X-Name") != "a" {
		t.Errorf("it is now %+v", e)
	}
}

// A function of net/http in front may refuse as applications do.
func ExampleRejectError_ServeHTTP() {
	var page http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		err := protocol.NewRejectError(http.StatusGone, "the party is over")
		protocol.AsRejectError(err).ServeHTTP(w, r)
	}
	w := httptest.NewRecorder()
	page(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 410 the party is over
}
