package protocol

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol/internal/routepath"
)

// Scope describes a connection to the routers, middleware and consumers that decide about
// it. It is immutable: the With methods return a changed copy, so that a router can try a
// route without changing the scope of the next one. Safe for concurrent use.
//
// Use a Scope only until the handshake is answered, and do not keep it: the headers of a
// browser's request need more memory than an idle connection does. A consumer keeps the
// values that it needs, such as s.Param("group") or s.User(). Param, Args, Query and Route
// return copies. Path, RootPath and RawQuery return parts of the request's first line, and
// keep all of it in memory: to keep one of them, use strings.Clone.
type Scope struct {
	typ          string
	channel      string
	place        plumbing.Place
	rawQuery     string
	host         string
	remoteAddr   string
	header       http.Header
	subprotocols []string
	user         any

	values plumbing.Values
	origin *origin // shared by all copies
}

// Type returns the type of the connection's protocol, for example "websocket". It is
// "channel" for a worker, which receives events from a channel and has no connection.
func (s *Scope) Type() string { return s.typ }

// Channel returns the name of the channel that a worker receives from; "" for a
// connection. A worker's scope has no path and no request.
func (s *Scope) Channel() string { return s.channel }

// Path returns the decoded path of the request without the part that the routers in front
// have matched, which is RootPath. See RoutePath.
func (s *Scope) Path() string { return s.place.Path }

// RootPath returns the part of the path that the routers in front have matched.
func (s *Scope) RootPath() string { return s.place.RootPath }

// RawQuery returns the query string, as in url.URL. See Query.
func (s *Scope) RawQuery() string { return s.rawQuery }

// Host returns the host of the request, as http.Request.Host.
func (s *Scope) Host() string { return s.host }

// RemoteAddr returns the client's address, in the form of http.Request.RemoteAddr. Behind a
// proxy it is the proxy's address, unless websocket.Options.TrustedProxies contains that.
func (s *Scope) RemoteAddr() string { return s.remoteAddr }

// Header returns the header of the request, which the caller must not change.
func (s *Scope) Header() http.Header { return s.header }

// Subprotocols returns the subprotocols that the peer offers, in its order of
// preference. The caller must not change them.
func (s *Scope) Subprotocols() []string { return s.subprotocols }

// User returns the user that middleware such as router.Auth has set with WithUser, or nil.
// [UserAs] returns it with its type.
func (s *Scope) User() any { return s.user }

// origin has what all copies of a scope share: the request that opens the connection,
// until it is answered.
type origin struct {
	request  atomic.Pointer[http.Request]
	bounded  bool            // the context of request becomes limit when the program asks for request
	limit    lazyctx.Context // of the handshake, if bounded
	found    atomic.Pointer[plumbing.Found]
	taken    atomic.Pointer[Scope] // of the application that has decided about the connection
	wildcard map[string]string     // the path values of request; set before request is cleared
	base     context.Context       //nolint:containedctx // the answered connection's

	routePath    string       // of the whole path, if it differs from the path; see Scope.RoutePath
	notCanonical error        // why RoutePath returns an error
	branches     atomic.Int64 // how many routes the routers have tried
}

// NewScope returns the scope of the connection that the request r opens. r must not be nil.
// Protocols call it, and add details with WithSubprotocols and WithRemoteAddr.
func NewScope(typ string, r *http.Request) *Scope {
	var both struct { // one allocation
		scope  Scope
		origin origin
	}
	s, o := &both.scope, &both.origin
	s.origin = o
	s.typ = typ
	s.place.Path, s.rawQuery = r.URL.Path, r.URL.RawQuery
	s.host, s.remoteAddr = r.Host, r.RemoteAddr
	s.header = r.Header
	s.place.Route = r.Pattern
	o.base = context.Background()
	o.request.Store(r)
	o.routePath, o.notCanonical = routepath.Of(r)
	return s
}

// newHandshakeScope returns the scope of the connection that h opens, and the context of
// the handshake, which its caller cancels. The request is not copied for that context
// unless the program asks for it.
func newHandshakeScope(h plumbing.Handshake) (*Scope, *lazyctx.Context) {
	s := NewScope(h.Type, h.Request)
	s.remoteAddr, s.subprotocols = h.RemoteAddr, h.Subprotocols
	o := s.origin
	o.bounded = true
	o.limit.Init(h.Request.Context(), h.Timeout)
	return s, &o.limit
}

// Context returns a context with the values of the request's context and those of
// WithValue, which ends when the request's context does. Once the handshake is answered, it
// has only the values of WithValue: some middleware of net/http recycles the values of its
// context for other requests when its handler has returned.
func (s *Scope) Context() context.Context {
	r := s.origin.request.Load()
	switch {
	case r == nil:
		return s.values.Bind(s.origin.base)
	case s.origin.bounded:
		return s.values.Bind(&s.origin.limit)
	}
	return s.values.Bind(r.Context())
}

// Request returns the HTTP request that opens the connection, for code that needs one, such
// as a session store. Once the handshake is answered, it returns nil.
func (s *Scope) Request() *http.Request {
	o := s.origin
	r := o.request.Load()
	if r == nil || !o.bounded || r.Context() == &o.limit {
		return r
	}
	o.request.CompareAndSwap(r, r.WithContext(&o.limit)) // fails if another caller was first, or after the answer
	return o.request.Load()
}

// Param returns the text that a route of Wye has captured under name. Otherwise it returns
// the path value of that name that a router of net/http, such as http.ServeMux or chi, has
// set on the request, or "". Once the handshake is answered, it returns a path value only
// if http.Request.Pattern has its name. The text is a copy.
func (s *Scope) Param(name string) string {
	text, _ := s.param(name)
	return strings.Clone(text)
}

// param returns a parameter, which may be a part of the request's memory, and whether there
// is one of this name.
func (s *Scope) param(name string) (text string, found bool) {
	for _, p := range slices.Backward(s.place.Params) {
		if p.Name == name {
			return p.Value, true
		}
	}
	if r := s.origin.request.Load(); r != nil {
		text = r.PathValue(name)
	} else {
		text = s.origin.wildcard[name]
	}
	return text, text != ""
}

// Args returns the texts that unnamed groups of routes have captured, those of outer
// routers first. The text of an optional group that did not match is "". A route with named
// groups captures nothing for its unnamed ones, as in Django. The slice is a copy.
func (s *Scope) Args() []string {
	args := slices.Clone(s.place.Args)
	for i, arg := range args {
		args[i] = strings.Clone(arg)
	}
	return args
}

// Route returns the patterns of the routes that have matched, joined, for example
// "lobby/ws/<slug:group>/". It starts with the pattern of http.ServeMux, if one is in
// front. It is for logs and metrics, because there are fewer patterns than paths. In
// middleware in front of a router, Route is complete when the inner Open has returned: it
// is then the route of the application that has accepted or refused the connection.
func (s *Scope) Route() string {
	if taken := s.origin.taken.Load(); taken != nil {
		return taken.place.Route
	}
	return s.place.Route
}

// Subprotocol returns the first of the subprotocols spoken that the peer offers, or "" if
// it offers none of them. The caller passes them in its order of preference.
func (s *Scope) Subprotocol(spoken ...string) string {
	for _, p := range spoken {
		if slices.Contains(s.subprotocols, p) {
			return p
		}
	}
	return ""
}

// Query returns the parsed query string, without malformed pairs, as url.URL.Query does.
// The values are copies.
func (s *Scope) Query() url.Values {
	parsed, _ := url.ParseQuery(s.rawQuery) //nolint:errcheck // malformed pairs are left out
	own := make(url.Values, len(parsed))
	for name, values := range parsed {
		for i, v := range values {
			values[i] = strings.Clone(v)
		}
		own[strings.Clone(name)] = values
	}
	return own
}

// WithSubprotocols returns a copy whose Subprotocols method returns offered. Protocols call
// it.
func (s *Scope) WithSubprotocols(offered []string) *Scope {
	c := *s
	c.subprotocols = offered
	return &c
}

// WithRemoteAddr returns a copy whose RemoteAddr is addr. Protocols and middleware call it
// if they know the address of the client behind a proxy.
func (s *Scope) WithRemoteAddr(addr string) *Scope {
	c := *s
	c.remoteAddr = addr
	return &c
}

// WithUser returns a copy whose User is u.
func (s *Scope) WithUser(u any) *Scope {
	c := *s
	c.user = u
	return &c
}

// WithValue returns a copy whose Context also has val under key, as with context.WithValue.
// The ctx of all callbacks of the connection has it too.
func (s *Scope) WithValue(key, val any) *Scope {
	c := *s
	c.values = s.values.With(key, val)
	return &c
}

// answered drops the request. base is the context of the answered connection.
func (s *Scope) answered(base context.Context) {
	o := s.origin
	r := o.request.Load()
	if r == nil {
		return
	}
	o.base, o.wildcard = base, wildcards(r)
	o.request.Store(nil)
}

// wildcards returns the path values of r by the names in its pattern: {name}, {name...} and
// {name:expression}, :name, and *. A part of the pattern that is not a name has no path
// value. The values are copies.
func wildcards(r *http.Request) map[string]string {
	var found map[string]string
	for part := range strings.FieldsFuncSeq(r.Pattern, func(c rune) bool { return c == '/' || c == '{' || c == '}' }) {
		name, _, _ := strings.Cut(strings.TrimPrefix(part, ":"), ":")
		name = strings.TrimSuffix(name, "...")
		if v := r.PathValue(name); v != "" {
			if found == nil {
				found = make(map[string]string, 1)
			}
			found[name] = strings.Clone(v)
		}
	}
	return found
}
