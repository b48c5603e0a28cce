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
)

// answer is the response to a request.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// ask makes a request of the page, with a cookie unless it is nil, and headers as pairs
// of name and value.
func ask(t *testing.T, c *chat, method, target, body string, cookie *http.Cookie, header ...string) answer {
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
	return answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
}

// cookies returns the cookies that an answer sets.
func cookies(a answer) []*http.Cookie {
	return (&http.Response{Header: a.Header}).Cookies()
}

// wantReply checks the status of an answer, and decodes its JSON.
func wantReply[R any](t *testing.T, a answer, status int) (r R) {
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

// choose chooses a name.
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

// TestKeepingAName: a visit a year keeps the cookie.
func TestKeepingAName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, cookie := choose(t, c, "Ann")
		for range 3 {
			<-time.After(cookieAge - time.Hour)
			w := ask(t, c, http.MethodGet, "/me", "", cookie)
			if got := wantReply[Person](t, w, http.StatusOK); got != ann || len(cookies(w)) != 1 {
				t.Fatalf("she is %+v with the cookies %v, want %+v with a new one", got, cookies(w), ann)
			}
			cookie = cookies(w)[0]
		}
		<-time.After(cookieAge + time.Hour)
		if w := ask(t, c, http.MethodGet, "/me", "", cookie); w.Status != http.StatusNoContent {
			t.Errorf("with a cookie that is too old: %d, want 204", w.Status)
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
		// It is still taken.
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
			at     string
			body   string
			status int
			reason string
		}{
			{here(), name("Ann"), http.StatusConflict, "taken"},
			{here(), name("ANN"), http.StatusConflict, "taken"},
			{here(), name(" ann "), http.StatusConflict, "taken"},
			{here(), name("Ａｎｎ"), http.StatusConflict, "taken"},
			{here(), name("ju\u0308rgen  \u00d6"), http.StatusConflict, "taken"},
			{here(), name(""), http.StatusBadRequest, "bad"},
			{here(), name(" \t "), http.StatusBadRequest, "bad"},
			{here(), name("A\x00nn"), http.StatusBadRequest, "bad"},
			{here(), name("Ann\nEve"), http.StatusBadRequest, "bad"},
			{here(), name("guest-ann"), http.StatusBadRequest, "guest"},
			{here(), name("Guest-1"), http.StatusBadRequest, "guest"},
			{here(), name(strings.Repeat("ä", 33)), http.StatusBadRequest, "long"},
			{here(), name("Αnn"), http.StatusBadRequest, "mixed"}, // with a Greek alpha
			{here(), name("Ann꞉"), http.StatusBadRequest, "bad"},
			{here(), name("∗ Ann"), http.StatusBadRequest, "bad"},
			{here(), name("ꓮꓠꓠ"), http.StatusConflict, "taken"}, // Lisu
			{here(), `{"name":5}`, http.StatusBadRequest, "malformed"},
			{here(), `name=Joe`, http.StatusBadRequest, "malformed"},
			{here(), ``, http.StatusBadRequest, "malformed"},
			{here(), name(strings.Repeat(" ", 5000) + "Joe"), http.StatusBadRequest, "malformed"},
		} {
			w := ask(t, c, http.MethodPost, "/me", row.body, nil)
			if no := wantReply[refused](t, w, row.status); no.Reason != row.reason || no.Text == "" || len(cookies(w)) > 0 {
				t.Errorf("%s: %s got %+v and the cookies %v, want %s", row.at, row.body, no, cookies(w), row.reason)
			}
		}
		choose(t, c, strings.Repeat("ä", 32))
	})
}

// TestOtherSites: pages of other sites cannot choose a name for their visitors.
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

// askFrom asks for a name from an address.
func askFrom(t *testing.T, c *chat, remote, wanted string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/me", strings.NewReader(name(wanted)))
	r.RemoteAddr = remote
	w := httptest.NewRecorder()
	c.page().ServeHTTP(w, r)
	return answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
}

// wantLater checks that a name is refused with a time to wait.
func wantLater(t *testing.T, a answer, reason, after string) {
	t.Helper()
	no := wantReply[refused](t, a, http.StatusTooManyRequests)
	if no.Reason != reason || no.Retry == 0 || a.Header.Get("Retry-After") != after {
		t.Errorf("got %+v and the header %q, want %s and %q", no, a.Header.Get("Retry-After"), reason, after)
	}
}

// TestManyNames: the limits on names of one address and of all together.
func TestManyNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		take := func(n int) answer {
			return askFrom(t, c, fmt.Sprint("192.0.2.", n/20, ":", n), fmt.Sprint("Ann ", n))
		}
		for n := range 50 {
			if a := take(n); a.Status != http.StatusOK {
				t.Fatalf("name %d got %+v", n, a)
			}
			if n == 19 {
				wantLater(t, askFrom(t, c, "192.0.2.0:99", "Eve"), "names", "61")
			}
		}
		wantLater(t, take(50), "slow", "1")
		<-time.After(time.Second)
		if a := take(50); a.Status != http.StatusOK {
			t.Errorf("a second later: %+v", a)
		}
		<-time.After(time.Minute)
		if a := askFrom(t, c, "192.0.2.0:99", "Eve"); a.Status != http.StatusOK {
			t.Errorf("a minute later: %+v", a)
		}
	})
}

// TestTakenNamesCostNothing: requests for names that are taken do not use up the limit
// of all together.
func TestTakenNamesCostNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		choose(t, c, "Ann")
		for range 10 { // seconds
			for i := range 20 {
				for n := range 10 { // addresses
					wanted := [...]string{"Ann", "ann.", "Guest"}[i%3]
					if a := askFrom(t, c, fmt.Sprintf("203.0.113.%d:%d", n, i), wanted); a.Status == http.StatusTooManyRequests {
						wantLater(t, a, "tries", "2")
					}
				}
			}
			if a := askFrom(t, c, "192.0.2.1:1", fmt.Sprint("Joe ", time.Now().Unix())); a.Status != http.StatusOK {
				t.Fatalf("an honest person got %+v", a)
			}
			<-time.After(time.Second)
		}
		if a := askFrom(t, c, "203.0.113.1:1", "Bob"); a.Status != http.StatusOK {
			t.Errorf("who has waited got %+v", a)
		}
		wantLater(t, askFrom(t, c, "203.0.113.1:1", "Bo"), "tries", "2")
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
