package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// visitor is a client of the program with a jar for its cookies, but without a browser.
type visitor struct {
	t    *testing.T
	addr string
	http http.Client
}

func newVisitor(t *testing.T, p *process) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, addr: p.Addr, http: http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: patience}}
	t.Cleanup(v.http.CloseIdleConnections)
	return v
}

func (v *visitor) url(path string) *url.URL {
	return &url.URL{Scheme: "http", Host: v.addr, Path: path}
}

// cookie returns the value of a cookie.
func (v *visitor) cookie(name string) string {
	for _, c := range v.http.Jar.Cookies(v.url("/")) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// do makes a request, with the token against CSRF, and returns its answer.
func (v *visitor) do(method, path string, form url.Values) (status int, body string) {
	v.t.Helper()
	if method == http.MethodPost {
		form.Set("csrfmiddlewaretoken", v.cookie("csrftoken"))
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url(path).String(), strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// login logs in to Django.
func (v *visitor) login(name string) {
	v.t.Helper()
	v.do(http.MethodGet, "/login/", url.Values{})
	if status, body := v.do(http.MethodPost, "/login/", url.Values{"username": {name}, "password": {name}}); status != http.StatusOK || v.cookie("sessionid") == "" {
		v.t.Fatalf("the login answered %d:\n%s", status, body)
	}
}

// session is the Cookie header of the visitor's session.
func (v *visitor) session() string { return "sessionid=" + v.cookie("sessionid") }

// dial connects to the Wye consumer with a Cookie header, and returns the first message.
func (v *visitor) dial(cookie string) *websockettest.Client {
	v.t.Helper()
	return websockettest.Dial(v.t, "ws://"+v.addr+"/ws/chat/lobby/", http.Header{"Cookie": {cookie}})
}

// wantUser connects and wants to be greeted with a name.
func (v *visitor) wantUser(cookie, name string) *websockettest.Client {
	v.t.Helper()
	c := v.dial(cookie)
	if m := read(v.t, c); m.Kind != "hello" || m.User != name {
		v.t.Fatalf("the first message is %+v, want hello to %q", m, name)
	}
	return c
}

// wantNobody connects and wants to be told to log in.
func (v *visitor) wantNobody(cookie string) {
	v.t.Helper()
	c := v.dial(cookie)
	if reason := c.WantClosed(consumer.CloseUnauthorized); reason != "log in first" {
		v.t.Errorf("closed because of %q", reason)
	}
}

func read(t *testing.T, c *websockettest.Client) (m message) {
	t.Helper()
	if err := json.Unmarshal([]byte(c.Text()), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAskUsers: Wye asks Django who has logged in.
func TestAskUsers(t *testing.T) {
	t.Parallel()
	started := startAll(t, "-pause", "1h")
	ann := newVisitor(t, started)
	ann.wantNobody("")
	ann.wantNobody("sessionid=forged")
	ann.login("ann")
	session := ann.session()
	open := ann.wantUser(session, "ann")
	if status, _ := ann.do(http.MethodPost, "/say/", url.Values{"text": {"from a view"}}); status != http.StatusNoContent {
		t.Errorf("the view answered %d", status)
	}
	skipTo(t, open, message{Kind: "line", line: line{User: "ann", Text: "from a view", Via: "a view of Django"}})

	// A logout closes what is open. A copy of the cookie is refused when Wye asks again.
	ann.do(http.MethodPost, "/logout/", url.Values{})
	wantLoggedOut(t, open)
	for end := time.Now().Add(patience); ; <-time.After(200 * time.Millisecond) {
		c := ann.dial(session)
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := f.Status(); f.First == websockettest.FIN|websockettest.OpClose && code == consumer.CloseUnauthorized {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a copy of the cookie is still accepted")
		}
	}

	// Without Django, nobody can connect, but who is connected stays so.
	bob := newVisitor(t, started)
	bob.login("bob")
	open = bob.wantUser(bob.session(), "bob")
	started.kill(t, "django")
	a := websockettest.Refused(t, "ws://"+started.Addr+"/ws/chat/lobby/", http.Header{"Cookie": {"sessionid=another"}})
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("without Django: %d %v, want 503 with a Retry-After", a.Status, a.Header)
	}
	if status, body := bob.do(http.MethodGet, "/", url.Values{}); status != http.StatusBadGateway || !strings.Contains(body, "Django cannot be reached") {
		t.Errorf("without Django, a page is answered with %d: %s", status, body)
	}
	open.SendText(`{"text":"still here"}`)
	skipTo(t, open, message{Kind: "line", line: line{User: "bob", Text: "still here", Via: "Wye"}})
}

// TestReadUsers: Wye reads Django's signed cookies.
func TestReadUsers(t *testing.T) {
	t.Parallel()
	started := startAll(t, "-users", "read")
	ann := newVisitor(t, started)
	ann.wantNobody("")
	ann.login("ann")
	session := ann.session()
	ann.wantNobody(session[:len(session)-1])
	ann.wantNobody("sessionid=x" + strings.TrimPrefix(session, "sessionid="))
	open := ann.wantUser(session, "ann")
	started.kill(t, "django")
	ann.wantUser(session, "ann") // Django is not needed

	// It comes back.
	for end := time.Now().Add(2 * patience); ; <-time.After(200 * time.Millisecond) {
		if status, _ := ann.do(http.MethodGet, "/", url.Values{}); status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("Django has not come back")
		}
	}
	// A logout closes what is open, but a copy of the cookie stays valid, as it does for
	// Django.
	ann.do(http.MethodPost, "/logout/", url.Values{})
	wantLoggedOut(t, open)
	ann.wantNobody(ann.session())
	ann.wantUser(session, "ann")
}

func wantLoggedOut(t *testing.T, c *websockettest.Client) {
	t.Helper()
	for {
		f, err := c.Read()
		if err != nil {
			t.Fatalf("waiting for the close: %v", err)
		}
		if code, reason := f.Status(); f.First == websockettest.FIN|websockettest.OpClose {
			if code != consumer.CloseUnauthorized || reason != "logged out" {
				t.Errorf("closed with %v, %q", code, reason)
			}
			return
		}
	}
}

// skipTo reads messages until one is as wanted.
func skipTo(t *testing.T, c *websockettest.Client, want message) {
	t.Helper()
	for {
		if m := read(t, c); m == want {
			return
		}
	}
}
