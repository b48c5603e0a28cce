package routepath_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol/internal/routepath"
)

// FuzzOf: whatever the peer sends, the path that routers match is the decoded one, with
// a mark for each slash that was escaped.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{"/", "/a/b/", "/a%2Fb", "/a//b", "/%2e%2e/b", "/%C3%A9", "/a%2fb?c=%2F", "http://h/a%2Fb", "/a%zz", "/%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		form, err := routepath.Of(&http.Request{URL: u, RequestURI: uri})
		if err != nil || form == "" {
			return
		}
		if marks := strings.Count(form, string(routepath.EncodedSlash)); marks == 0 || marks != strings.Count(strings.ToUpper(u.EscapedPath()), "%2F") {
			t.Errorf("%q: %d marks in %q", uri, marks, form)
		}
		if got := strings.ReplaceAll(form, string(routepath.EncodedSlash), "/"); got != u.Path {
			t.Errorf("%q is matched as %q, want %q", uri, got, u.Path)
		}
	})
}
