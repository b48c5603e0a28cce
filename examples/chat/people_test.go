package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/examples/internal/exampletest"
	"github.com/wye-go/wye/internal/testkit"
)

// ask makes a request of the page's, with a cookie unless it is nil, and headers in
// names and values in turn.
func ask(t *testing.T, c *chat, method, target, body string, cookie *http.Cookie, header ...string) exampletest.Answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if cookie != nil {
		r.AddCookie(cookie)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.page().ServeHTTP(w, r)
	return exampletest.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
}

// cookies are those that an answer sets.
func cookies(a exampletest.Answer) []*http.Cookie {
	return (&http.Response{Header: a.Header}).Cookies()
}

// wantReply takes the JSON of an answer, which must have that status.
func wantReply[R any](t *testing.T, a exampletest.Answer, status int) (r R) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), &r); err != nil || a.Status != status {
		t.Fatalf("got %d and %s (%v), want %d", a.Status, a.Body, err, status)
	}
	if got := a.Header.Get("Content-Type") + " " + a.Header.Get("Cache-Control"); got != "application/json no-store" {
		t.Errorf("got %q, want JSON that is not stored", got)
	}
	return r
}

func name(n string) string {
	b, err := json.Marshal(map[string]string{"name": n})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// choose gives somebody a name.
func choose(t *testing.T, c *chat, n string) (Person, *http.Cookie) {
	t.Helper()
	w := ask(t, c, http.MethodPost, "/me", name(n), nil)
	who := wantReply[Person](t, w, http.StatusOK)
	if len(cookies(w)) != 1 || who.ID == "" {
		t.Fatalf("%+v got the cookies %v, want one", who, cookies(w))
	}
	return who, cookies(w)[0]
}

func TestChoosingAName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		if w := ask(t, c, http.MethodGet, "/me", "", nil); w.Status != http.StatusNoContent {
			t.Errorf("a stranger got %d, want 204", w.Status)
		}
		ann, cookie := choose(t, c, "  Ann   Lee ")
		if ann.Name != "Ann Lee" || len(ann.ID) < 20 {
			t.Errorf("got %+v, want Ann Lee with an ID that nobody guesses", ann)
		}
		if cookie.MaxAge != 365*24*60*60 || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.Path != "/" {
			t.Errorf("the cookie is %+v", cookie)
		}
		if got := wantReply[Person](t, ask(t, c, http.MethodGet, "/me", "", cookie), http.StatusOK); got != ann {
			t.Errorf("she is %+v then, want %+v", got, ann)
		}
		if no := wantReply[refused](t, ask(t, c, http.MethodPost, "/me", name("Eve"), cookie), http.StatusConflict); no.Reason != "named" {
			t.Errorf("a second name is refused with %+v", no)
		}
		safe := ask(t, c, http.MethodPost, "https://example.com/me", name("Eve"), nil)
		if set := cookies(safe); len(set) != 1 || !set[0].Secure {
			t.Errorf("over TLS the cookie is %v", set)
		}
	})
}

func TestLeavingAName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		_, cookie := choose(t, c, "Ann")
		a := ask(t, c, http.MethodDelete, "/me", "", cookie)
		if set := cookies(a); a.Status != http.StatusNoContent || len(set) != 1 || set[0].MaxAge >= 0 || set[0].Name != cookie.Name {
			t.Errorf("forgetting got %d and the cookies %v", a.Status, set)
		}
		// It stays hers.
		if no := wantReply[refused](t, ask(t, c, http.MethodPost, "/me", name("ann"), nil), http.StatusConflict); no.Reason != "taken" {
			t.Errorf("a name that was left is refused with %+v, want it to be taken", no)
		}
	})
}

func TestNamesThatCannotBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		choose(t, c, "Ann")
		choose(t, c, "Jürgen Ö")
		for _, row := range []struct {
			at     testkit.Line
			body   string
			status int
			reason string
		}{
			{testkit.Here(), name("Ann"), http.StatusConflict, "taken"},
			{testkit.Here(), name("ANN"), http.StatusConflict, "taken"},
			{testkit.Here(), name(" ann "), http.StatusConflict, "taken"},
			{testkit.Here(), name("Ａｎｎ"), http.StatusConflict, "taken"},
			{testkit.Here(), name("ju\u0308rgen  \u00d6"), http.StatusConflict, "taken"},
			{testkit.Here(), name(""), http.StatusBadRequest, "bad"},
			{testkit.Here(), name(" \t "), http.StatusBadRequest, "bad"},
			{testkit.Here(), name("A\x00nn"), http.StatusBadRequest, "bad"},
			{testkit.Here(), name("Ann\nEve"), http.StatusBadRequest, "bad"},
			{testkit.Here(), name("guest-ann"), http.StatusBadRequest, "bad"},
			{testkit.Here(), name("Guest-1"), http.StatusBadRequest, "bad"},
			{testkit.Here(), name(strings.Repeat("ä", 33)), http.StatusBadRequest, "bad"},
			{testkit.Here(), `{"name":5}`, http.StatusBadRequest, "malformed"},
			{testkit.Here(), `name=Joe`, http.StatusBadRequest, "malformed"},
			{testkit.Here(), ``, http.StatusBadRequest, "malformed"},
			{testkit.Here(), name(strings.Repeat(" ", 5000) + "Joe"), http.StatusBadRequest, "malformed"},
		} {
			w := ask(t, c, http.MethodPost, "/me", row.body, nil)
			if no := wantReply[refused](t, w, row.status); no.Reason != row.reason || no.Text == "" || len(cookies(w)) > 0 {
				t.Errorf("%s: %s got %+v and the cookies %v, want %s", row.at, row.body, no, cookies(w), row.reason)
			}
		}
		choose(t, c, strings.Repeat("ä", 32))
	})
}

// TestOtherSites cannot take names for those who look at them.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		_, cookie := choose(t, c, "Ann")
		for _, method := range []string{http.MethodPost, http.MethodDelete} {
			for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.example"}} {
				if w := ask(t, c, method, "/me", name("Joe"), cookie, h...); w.Status != http.StatusForbidden || len(cookies(w)) > 0 {
					t.Errorf("%s with %v got %d and the cookies %v, want 403", method, h, w.Status, cookies(w))
				}
			}
		}
		if w := ask(t, c, http.MethodPost, "/me", name("Joe"), nil, "Sec-Fetch-Site", "same-origin"); w.Status != http.StatusOK {
			t.Errorf("the page's own got %d", w.Status)
		}
	})
}

func TestManyNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		for i := range 50 {
			choose(t, c, fmt.Sprint("Ann ", i))
		}
		w := ask(t, c, http.MethodPost, "/me", name("Joe"), nil)
		if no := wantReply[refused](t, w, http.StatusTooManyRequests); no.Reason != "slow" {
			t.Errorf("got %+v, want slow", no)
		}
		<-time.After(time.Second)
		choose(t, c, "Joe")
	})
}

func TestNamesWithoutADatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		if _, err := c.store.writes.Exec(`ALTER TABLE people RENAME TO lost`); err != nil {
			t.Fatal(err)
		}
		no := wantReply[refused](t, ask(t, c, http.MethodPost, "/me", name("Ann"), nil), http.StatusServiceUnavailable)
		if no.Reason != "store" || strings.Contains(no.Text, "table") {
			t.Errorf("got %+v, want it refused, and nothing about the inside", no)
		}
	})
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at                testkit.Line
		name, shown, same string // "": it is refused
	}{
		{testkit.Here(), "Ann", "Ann", "ann"},
		{testkit.Here(), " Ann   Lee ", "Ann Lee", "ann lee"},
		{testkit.Here(), "Ａｎｎ", "Ann", "ann"},
		{testkit.Here(), "小明", "小明", "小明"},
		{testkit.Here(), "Ann 🙂", "Ann 🙂", "ann 🙂"},
		{testkit.Here(), "Σίσυφος", "Σίσυφος", "σίσυφος"},
		{testkit.Here(), "O'Neill-<b>", "O'Neill-<b>", "o'neill-<b>"},
		{testkit.Here(), "guest", "guest", "guest"},
		{testkit.Here(), "GUEST-x", "", ""},
		{testkit.Here(), "ｇｕｅｓｔ-x", "", ""},
		{testkit.Here(), "a\u202eb", "", ""}, // writes backwards
		{testkit.Here(), "a\u200bb", "", ""}, // cannot be seen
		{testkit.Here(), "\xff", "", ""},
		{testkit.Here(), "Ann (at work)", "Ann (at work)", "ann (at work)"},
		{testkit.Here(), "Ann: I owe you 5", "", ""}, // says things as Ann
		{testkit.Here(), "Ann：", "", ""},
		{testkit.Here(), "Ann (only to you)", "", ""},
		{testkit.Here(), "* Ann has left", "", ""},
		{testkit.Here(), "＊", "", ""},
		{testkit.Here(), "Ann\u2800", "", ""}, // as if there were nothing
		{testkit.Here(), "\u0301", "", ""},    // goes on what is before it
	} {
		shown, same, err := fold(row.name)
		if shown != row.shown || same != row.same || (err != nil) != (row.shown == "") {
			t.Errorf("%s: %q is shown as %q and the same as %q (%v), want %q and %q", row.at, row.name, shown, same, err, row.shown, row.same)
		}
	}
}
