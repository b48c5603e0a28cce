package matrix_test

import (
	"context"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"

	"github.com/wye-go/wye/internal/testkit"
)

// headers is an http.ResponseWriter for code that only wants to set a cookie. As
// AcceptOptions.Header it becomes part of the answer to the handshake.
type headers http.Header

func (h headers) Header() http.Header       { return http.Header(h) }
func (headers) Write(b []byte) (int, error) { return len(b), nil }
func (headers) WriteHeader(int)             {}

// sessionLib is what programs do with a session, by the means of one library. ctx
// and r are those of a handler, or those of Connect and of Scope.Request.
type sessionLib interface {
	// inFront is the library's middleware.
	inFront(next http.Handler) http.Handler
	// get returns the name that the session has.
	get(ctx context.Context, r *http.Request) string
	// put changes it, and does no more.
	put(ctx context.Context, r *http.Request, name string)
	// save does what a plain handler has to do after put.
	save(w http.ResponseWriter, r *http.Request) error
	// cookie saves at once, and sets the cookie.
	cookie(w http.ResponseWriter, r *http.Request) error
}

// sessionRow is a library in front of a router.
type sessionRow struct {
	name string
	at   testkit.Line
	make func() sessionLib
	// itself says that it saves by itself what has changed, when the handler
	// returns; the cookie comes too late for an answer that was given.
	itself bool
}

func sessionLibs() []sessionRow {
	return []sessionRow{
		{name: "scs", at: testkit.Here(), make: func() sessionLib { return scsLib{newSCS()} }, itself: true},
		{name: "gorilla/sessions", at: testkit.Here(), make: func() sessionLib { return newGorilla() }},
	}
}

// newSCS returns what scs.New does, without the goroutine that tidies its store
// up and cannot be stopped without a race.
func newSCS() *scs.SessionManager {
	return &scs.SessionManager{
		Lifetime: time.Hour,
		Store:    memstore.NewWithCleanupInterval(0),
		Codec:    scs.GobCodec{},
		Cookie:   scs.SessionCookie{Name: "session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Persist: true},
		ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		},
	}
}

// scsLib keeps sessions in a store; the cookie has the key.
type scsLib struct{ *scs.SessionManager }

func (l scsLib) inFront(next http.Handler) http.Handler { return l.LoadAndSave(next) }

func (l scsLib) get(ctx context.Context, _ *http.Request) string { return l.GetString(ctx, "name") }

func (l scsLib) put(ctx context.Context, _ *http.Request, name string) { l.Put(ctx, "name", name) }

func (scsLib) save(http.ResponseWriter, *http.Request) error { return nil }

func (l scsLib) cookie(w http.ResponseWriter, r *http.Request) error {
	token, expiry, err := l.Commit(r.Context())
	if err == nil {
		l.WriteSessionCookie(r.Context(), w, token, expiry)
	}
	return err
}

// gorillaLib keeps sessions in the cookie. It has no middleware.
type gorillaLib struct{ store *sessions.CookieStore }

func newGorilla() gorillaLib {
	return gorillaLib{sessions.NewCookieStore([]byte("a key that is thirty-two bytes.."))}
}

func (l gorillaLib) session(r *http.Request) *sessions.Session {
	s, _ := l.store.Get(r, "session") //nolint:errcheck // it returns a new one with the error, if what came was not ours
	return s
}

func (gorillaLib) inFront(next http.Handler) http.Handler { return next }

func (l gorillaLib) get(_ context.Context, r *http.Request) string {
	name, _ := l.session(r).Values["name"].(string)
	return name
}

func (l gorillaLib) put(_ context.Context, r *http.Request, name string) {
	l.session(r).Values["name"] = name
}

func (l gorillaLib) save(w http.ResponseWriter, r *http.Request) error { return l.cookie(w, r) }

func (l gorillaLib) cookie(w http.ResponseWriter, r *http.Request) error {
	return l.session(r).Save(r, w)
}
