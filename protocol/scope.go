package protocol

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// Scope describes one connection to whoever decides about it: routers,
// middleware, factories. It is read-only; the With methods return a changed
// copy, so that a router that tries a branch and fails leaves no trace. Safe
// for concurrent use.
//
// A Scope is for the time until the handshake is answered. Then the engine lets
// go of it, because a browser's headers alone weigh more than an idle
// connection may. Take what you need (s.Param("group"), s.User) into your
// consumer, not the Scope. What Param, Args, Query and Route return is a copy, which
// keeps nothing else in memory. A part of Path, RootPath or RawQuery keeps all of the
// request's line: keep strings.Clone of it.
type Scope struct {
	Type         string      // the protocol's: "websocket", ...; "channel" for workers
	Channel      string      // the name of a worker's channel, which has no path
	Path         string      // percent-decoded; what is left to route. See RoutePath
	RootPath     string      // what outer routers took from it
	RawQuery     string      // as in url.URL
	Host         string      // as the peer named us
	RemoteAddr   string      // the client's, in the form of http.Request; see websocket.Options.TrustedProxies
	Header       http.Header // the request's; do not change it
	Subprotocols []string    // offered by the peer, in its order of preference
	User         any         // whoever an authenticator found

	route  string  // the patterns that led here
	params []Param // a later one of the same name wins
	args   []string
	inTurn bool // some route that led here was a mount
	routed bool // a router has made it
	values *value
	origin *origin // shared by all copies
}

// Match is what a route makes of a path. See [Scope.WithRoute].
type Match struct {
	Route  string   // the route's pattern, as it was written
	Taken  string   // the beginning of Scope.Path, up to where the route matched
	Rest   string   // what is left of it
	Params []Param  // what named groups captured; of one name the last counts
	Args   []string // what groups captured that have no name
	Mount  bool     // ErrNoRoute from what is behind means that the next route is tried
}

// Param is a captured part of a path.
type Param struct{ Name, Value string }

// origin is the request that a connection began as, until it is answered.
type origin struct {
	request  atomic.Pointer[http.Request]
	taken    atomic.Pointer[Scope] // of the application that takes the connection
	wildcard map[string]string     // what http.ServeMux matched; set before request is cleared
	base     context.Context       //nolint:containedctx // the answered connection's

	routePath    string       // of the whole path, if it is not the path itself; see Scope.RoutePath
	notCanonical error        // what RoutePath returns
	branches     atomic.Int64 // that routers have tried
}

// value is one pair of WithValue, in front of older ones.
type value struct {
	key, val any
	next     *value
}

// NewScope describes the connection that begins with r, which may not be nil.
// Protocols call it. Subprotocols are for the protocol to fill in.
func NewScope(typ string, r *http.Request) *Scope {
	s := &Scope{
		Type:       typ,
		Path:       r.URL.Path,
		RawQuery:   r.URL.RawQuery,
		Host:       r.Host,
		RemoteAddr: r.RemoteAddr,
		Header:     r.Header,
		route:      r.Pattern,
		origin:     &origin{base: context.Background()},
	}
	s.origin.request.Store(r)
	s.origin.routePath, s.origin.notCanonical = routePath(r)
	return s
}

// NewChannelScope describes what arrives on a worker's channel. ctx is what
// Context returns. Workers call it.
func NewChannelScope(ctx context.Context, channel string) *Scope {
	return &Scope{Type: "channel", Channel: channel, origin: &origin{base: ctx}}
}

// Context has the values of the request's context and those of WithValue, and
// ends when the request's context does. Once the connection is answered it has
// only those of WithValue: middleware of net/http is free to recycle what its
// context points to when its handler has returned, and some does, so that a
// kept one would show another user's data.
func (s *Scope) Context() context.Context {
	if r := s.origin.request.Load(); r != nil {
		return s.Values().Bind(r.Context())
	}
	return s.Values().Bind(s.origin.base)
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

// Mounted reports whether a router in front tries another route if the answer is
// ErrNoRoute, so that this is not the last word.
func (s *Scope) Mounted() bool { return s.inTurn }

// Taken notes whether the application that s is for has taken the connection, or
// refused it for good, so that Route says so; false if another route is tried.
// Routers call it when its Open has returned, the innermost first, whose yes
// counts: routes further out, of which its is a part, say less.
func (s *Scope) Taken(yes bool) {
	taken := s.origin.taken.Load()
	within := taken != nil && strings.HasPrefix(taken.route, s.route)
	switch {
	case yes && !within:
		s.origin.taken.Store(s)
	case !yes && within:
		s.origin.taken.Store(nil)
	}
}

// Subprotocol returns the first of those that you speak, in your order of
// preference, that the peer offers, or "".
func (s *Scope) Subprotocol(spoken ...string) string {
	for _, p := range spoken {
		if slices.Contains(s.Subprotocols, p) {
			return p
		}
	}
	return ""
}

// Query parses the query string. What is malformed is left out, as in
// url.URL.Query. It is a copy.
func (s *Scope) Query() url.Values {
	parsed, _ := url.ParseQuery(s.RawQuery) //nolint:errcheck // malformed pairs are left out
	own := make(url.Values, len(parsed))
	for name, values := range parsed {
		for i, v := range values {
			values[i] = strings.Clone(v)
		}
		own[strings.Clone(name)] = values
	}
	return own
}

// WithRoute returns a copy for the application behind a route: what was taken
// goes from Path to RootPath. Params are added to those of outer routers, of
// which they replace those of the same name, and Args are put behind theirs. The
// slices of m must not be changed any more.
func (s *Scope) WithRoute(m Match) *Scope {
	c := *s
	c.RootPath, c.Path = s.RootPath+m.Taken, m.Rest
	c.route = s.route + m.Route
	c.params = behind(s.params, m.Params)
	c.args = behind(s.args, m.Args)
	c.inTurn, c.routed = s.inTurn || m.Mount, true
	return &c
}

// behind puts more behind some, and leaves both as they are.
func behind[T any](some, more []T) []T {
	switch {
	case len(more) == 0:
		return some
	case len(some) == 0:
		return more
	}
	return slices.Concat(some, more)
}

// WithUser returns a copy whose User is u.
func (s *Scope) WithUser(u any) *Scope {
	c := *s
	c.User = u
	return &c
}

// WithValue returns a copy whose Context has a value more, as
// context.WithValue. Consumers behind it find it in the ctx of all their
// callbacks.
func (s *Scope) WithValue(key, val any) *Scope {
	c := *s
	c.values = &value{key: key, val: val, next: s.values}
	return &c
}

// Values returns what WithValue has added, without keeping s. Whoever makes a
// [Handler] binds it to the contexts of its callbacks; consumers get theirs
// bound.
func (s *Scope) Values() Values { return Values{s.values} }

// Values are the pairs of Scope.WithValue. The zero value has none.
type Values struct{ list *value }

// Bind returns ctx with the values; ctx itself if there are none.
func (v Values) Bind(ctx context.Context) context.Context {
	if v.list == nil {
		return ctx
	}
	return &bound{Context: ctx, values: v.list}
}

type bound struct {
	context.Context //nolint:containedctx // it is a context
	values          *value
}

func (b *bound) Value(key any) any {
	for v := b.values; v != nil; v = v.next {
		if v.key == key {
			return v.val
		}
	}
	return b.Context.Value(key)
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

// Kept returns a copy of s for the time after the handshake is answered. It has no
// Header, RawQuery or Subprotocols, and of the request's memory it needs one copy of
// the path, of which the parameters are parts. It is for code that gives consumers a
// Scope for as long as the connection lasts.
func (s *Scope) Kept() *Scope {
	c := *s
	path := strings.Clone(s.RootPath + s.Path)
	c.RootPath, c.Path = path[:len(s.RootPath)], path[len(s.RootPath):]
	part := func(text string) string {
		if at := strings.Index(path, text); at >= 0 {
			return path[at : at+len(text)]
		}
		return strings.Clone(text)
	}
	c.params, c.args = slices.Clone(s.params), slices.Clone(s.args)
	for i, p := range c.params {
		c.params[i].Value = part(p.Value)
	}
	for i, arg := range c.args {
		c.args[i] = part(arg)
	}
	c.Host, c.RemoteAddr = strings.Clone(s.Host), strings.Clone(s.RemoteAddr)
	c.RawQuery, c.Header, c.Subprotocols = "", nil, nil
	c.route = s.Route()
	c.origin = &origin{base: s.origin.base, wildcard: s.origin.wildcard}
	return &c
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
