package protocol

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol/internal/routepath"
)

// Scope describes a connection to the routers, middleware and factories that decide
// about it. It is immutable: the With methods return a changed copy, so that a router
// that tries a route and fails leaves no trace. Safe for concurrent use.
//
// A Scope is valid until the handshake is answered. The engine then drops it, because
// the headers of a browser's request weigh more than an idle connection may. A consumer
// takes what it needs, such as s.Param("group") or s.User(), and does not keep the
// Scope. Param, Args, Query and Route return copies. Path, RootPath and RawQuery return
// parts of the request's first line, which stays in memory as long as any of them does:
// keep strings.Clone of it.
type Scope struct {
	typ          string
	channel      string
	path         string
	rootPath     string
	rawQuery     string
	host         string
	remoteAddr   string
	header       http.Header
	subprotocols []string
	user         any

	route   string           // the patterns that led here
	params  []plumbing.Param // a later one of the same name wins
	args    []string
	mounted bool // some route that led here was a mount
	routed  bool // a router has made it
	values  plumbing.Values
	origin  *origin // shared by all copies
}

// Type returns the type of the connection's protocol: "websocket", for example, or
// "channel" for what a worker receives.
func (s *Scope) Type() string { return s.typ }

// Channel returns the name of the channel that a worker receives from. A worker's scope
// has no path and no request.
func (s *Scope) Channel() string { return s.channel }

// Path returns the part of the path that is left to route, decoded. See RoutePath.
func (s *Scope) Path() string { return s.path }

// RootPath returns the part of the path that the routers in front have matched.
func (s *Scope) RootPath() string { return s.rootPath }

// RawQuery returns the query string, as in url.URL. See Query.
func (s *Scope) RawQuery() string { return s.rawQuery }

// Host returns the host that the peer has asked for, as in http.Request.
func (s *Scope) Host() string { return s.host }

// RemoteAddr returns the client's address, in the form of http.Request.RemoteAddr.
// Behind a proxy it is the proxy's, unless websocket.Options.TrustedProxies has it.
func (s *Scope) RemoteAddr() string { return s.remoteAddr }

// Header returns the header of the request, which the caller must not change.
func (s *Scope) Header() http.Header { return s.header }

// Subprotocols returns the subprotocols that the peer offers, in its order of
// preference. The caller must not change them.
func (s *Scope) Subprotocols() []string { return s.subprotocols }

// User returns the user that middleware such as router.Auth has authenticated; nil if
// there is none. [UserAs] returns it with its type.
func (s *Scope) User() any { return s.user }

// origin is the request that a connection began as, until it is answered.
type origin struct {
	request  atomic.Pointer[http.Request]
	taken    atomic.Pointer[Scope] // of the application that takes the connection
	wildcard map[string]string     // what http.ServeMux matched; set before request is cleared
	base     context.Context       //nolint:containedctx // the answered connection's

	routePath    string       // of the whole path, if it is not the path itself; see Scope.RoutePath
	notCanonical error        // why RoutePath returns an error
	branches     atomic.Int64 // that routers have tried
}

// NewScope describes the connection that begins with r, which must not be nil.
// Protocols call it, and add what they know with WithSubprotocols and WithRemoteAddr.
func NewScope(typ string, r *http.Request) *Scope {
	s := &Scope{
		typ:        typ,
		path:       r.URL.Path,
		rawQuery:   r.URL.RawQuery,
		host:       r.Host,
		remoteAddr: r.RemoteAddr,
		header:     r.Header,
		route:      r.Pattern,
		origin:     &origin{base: context.Background()},
	}
	s.origin.request.Store(r)
	s.origin.routePath, s.origin.notCanonical = routepath.Of(r)
	return s
}

// Context has the values of the request's context and those of WithValue, and
// ends when the request's context does. Once the connection is answered it has
// only those of WithValue: middleware of net/http is free to recycle what its
// context points to when its handler has returned, and some does, so that a
// kept one would show another user's data.
func (s *Scope) Context() context.Context {
	if r := s.origin.request.Load(); r != nil {
		return s.values.Bind(r.Context())
	}
	return s.values.Bind(s.origin.base)
}

// Request returns the HTTP request that the connection began as, for code that
// wants one, such as a session store. Once the connection is answered it
// returns nil.
func (s *Scope) Request() *http.Request { return s.origin.request.Load() }

// Param returns what a route captured under name, or what the router in front of
// Wye did, if it says so by http.Request.SetPathValue as http.ServeMux and chi do,
// or "". Once the connection is answered, the latter is there only if
// http.Request.Pattern has its name. It is a copy.
func (s *Scope) Param(name string) string {
	text, _ := s.param(name)
	return strings.Clone(text)
}

// param returns a parameter, which may lie in the memory of the request, and whether
// there is one of this name.
func (s *Scope) param(name string) (text string, found bool) {
	for _, p := range slices.Backward(s.params) {
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

// Args returns what routes captured without a name, the outer routers' first. A
// group that took no part in the match is "". A route that has named groups has
// no others, as in Django. It is a copy.
func (s *Scope) Args() []string {
	args := slices.Clone(s.args)
	for i, arg := range args {
		args[i] = strings.Clone(arg)
	}
	return args
}

// Route returns the patterns of the routes that led to s, joined as they were
// written: "lobby/ws/<slug:group>/". It is for logs and metrics, where a path
// would be one of too many. It begins with the pattern of the http.ServeMux in
// front, if there is one. To middleware in front of a router it is the route of
// the application that took the connection, or refused it, as soon as the inner
// Open has returned.
func (s *Scope) Route() string {
	if taken := s.origin.taken.Load(); taken != nil {
		return taken.route
	}
	return s.route
}

// Subprotocol returns the first of those that you speak, in your order of
// preference, that the peer offers, or "".
func (s *Scope) Subprotocol(spoken ...string) string {
	for _, p := range spoken {
		if slices.Contains(s.subprotocols, p) {
			return p
		}
	}
	return ""
}

// Query parses the query string. What is malformed is left out, as in
// url.URL.Query. It is a copy.
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

// WithSubprotocols returns a copy whose Subprotocols are offered. Protocols call it.
func (s *Scope) WithSubprotocols(offered []string) *Scope {
	c := *s
	c.subprotocols = offered
	return &c
}

// WithRemoteAddr returns a copy whose RemoteAddr is addr, for protocols and middleware
// that know better who the client is.
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

// WithValue returns a copy whose Context has a value more, as
// context.WithValue. Consumers behind it find it in the ctx of all their
// callbacks.
func (s *Scope) WithValue(key, val any) *Scope {
	c := *s
	c.values = s.values.With(key, val)
	return &c
}

// answered lets go of the request. base is the context that the connection
// keeps.
func (s *Scope) answered(base context.Context) {
	o := s.origin
	r := o.request.Load()
	if r == nil {
		return
	}
	o.base, o.wildcard = base, wildcards(r)
	o.request.Store(nil)
}

// wildcards returns what the router in front matched, by the names in its
// pattern: {name}, {name...} and {name:expression}, :name, and *. What else is
// between slashes and braces is nobody's name. The values are copies.
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
