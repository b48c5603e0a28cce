package djangoauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Asker asks a view of Django for the user of a session cookie. Make it with NewAsker. Its
// methods are safe for concurrent use.
//
// Django gets nothing but the session cookie. Its answers, also "not logged in", are kept
// for AskerOptions.KeepFor: for so long, a user who has logged out can still connect with a
// copy of the old cookie, and a page that connects again costs no request. Several
// connections of one session that come at the same time are one request.
//
// While Django does not answer, nobody whose answer is not kept can connect: they get a 503
// with a Retry-After. Connections that are open stay open. Errors are not kept.
//
// A peer that sends a new cookie each time makes Django look for each of them.
// AskerOptions.Concurrent bounds how many at a time, and others wait meanwhile:
// websocket.Capacity bounds the handshakes of one address and of all.
type Asker struct {
	view    string
	options AskerOptions
	client  *http.Client
	answers *answers
}

// AskerOptions configure an [Asker]. Zero fields mean their defaults.
type AskerOptions struct {
	// Cookie is SESSION_COOKIE_NAME. Default "sessionid".
	Cookie string
	// Timeout bounds one request, the wait for a free connection to Django included.
	// Default 2 s.
	Timeout time.Duration
	// KeepFor is how long an answer is used. Default 5 s.
	KeepFor time.Duration
	// MaxKept bounds how many answers are kept; the oldest make room. Default 10,000,
	// which is about 2 MB.
	MaxKept int
	// Concurrent bounds how many requests Django gets at the same time; others wait.
	// Default 8.
	Concurrent int
	// RetryAfter is what peers are told to wait if Django does not answer. Default 5 s,
	// to which up to as much again is added, so that not all return at once.
	RetryAfter time.Duration
}

// NewAsker returns an Asker for the URL of a view, which is usually on a loopback address or
// in a private network. The view answers a GET with the JSON of a [User], or with 401 or 403
// if nobody is logged in:
//
//	def whoami(request):
//	    user = request.user
//	    if not user.is_authenticated:
//	        return HttpResponse(status=401)
//	    return JsonResponse({"id": str(user.pk), "name": user.get_username()})
//
// The host of the URL must be in ALLOWED_HOSTS. o may be nil.
func NewAsker(view string, o *AskerOptions) (*Asker, error) {
	u, err := url.Parse(view)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("djangoauth: NewAsker: %q is not the URL of a view; write http://127.0.0.1:8001/whoami/", view)
	}
	a := &Asker{view: view}
	if o != nil {
		a.options = *o
	}
	a.options.Cookie = or(a.options.Cookie, "sessionid")
	a.options.Timeout = or(a.options.Timeout, 2*time.Second)
	a.options.RetryAfter = or(a.options.RetryAfter, 5*time.Second)
	a.answers = newAnswers(or(a.options.KeepFor, 5*time.Second), or(a.options.MaxKept, 10_000), a.options.Timeout)
	concurrent := or(a.options.Concurrent, 8)
	a.client = &http.Client{
		Transport: &http.Transport{ // no Proxy: the cookie is a secret
			MaxConnsPerHost:     concurrent,
			MaxIdleConnsPerHost: concurrent,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a, nil
}

// User returns the user of the session, for router.Auth. It returns nil, an anonymous user,
// if there is no session cookie, or if Django says so. If Django does not answer, the error
// refuses the connection with 503. Several connections may get the same *User: do not change
// it.
func (a *Asker) User(ctx context.Context, s *protocol.Scope) (*User, error) {
	cookie := sessionCookie(s, a.options.Cookie)
	if cookie == "" {
		return nil, nil //nolint:nilnil // an anonymous user
	}
	user, err := a.answers.get(ctx, sha256.Sum256([]byte(cookie)), func(ctx context.Context) (*User, error) {
		return a.ask(ctx, cookie)
	})
	if err != nil {
		refusal := protocol.NewRejectError(http.StatusServiceUnavailable, "it is not known who you are; try again later")
		refusal.Err = err
		return nil, refusal.RetryAfter(a.options.RetryAfter)
	}
	return user, nil
}

// Close closes the connections to Django that are not in use.
func (a *Asker) Close() { a.client.CloseIdleConnections() }

// maxAnswer bounds the view's answer, in bytes.
const maxAnswer = 16 << 10

// ask makes the request.
func (a *Asker) ask(ctx context.Context, cookie string) (*User, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.view, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.AddCookie(&http.Cookie{Name: a.options.Cookie, Value: cookie}) //nolint:gosec // a request's cookie has no attributes
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("djangoauth: asking Django: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("djangoauth: asking Django: %w", err)
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return nil, nil //nolint:nilnil // an anonymous user
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("djangoauth: %s answered %s; it must answer 200, or 401 if nobody is logged in", a.view, answer.Status)
	}
	user := new(User)
	if err := json.Unmarshal(body, user); err != nil {
		return nil, fmt.Errorf("djangoauth: the answer of %s: %w", a.view, err)
	}
	if user.ID == "" {
		return nil, errors.New(`djangoauth: the answer of ` + a.view + ` has no "id"`)
	}
	return user, nil
}
