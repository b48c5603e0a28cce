package router

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// specChain are the routes that lead to a named route, which is the last one.
type specChain []chainLink

// chainLink is a route, and all routes of its router.
type chainLink struct {
	router []*routeSpec
	route  *routeSpec
}

// compareURLFor checks URLFor for all names.
func (x *comparison) compareURLFor() {
	x.Helper()
	chains := map[string][]specChain{}
	addChains(chains, x.routes, nil, "")
	for name, found := range chains {
		if len(found) == 1 { // other names are ambiguous
			x.compareName(name, found[0])
		}
	}
	if x.Failed() {
		x.Fatalf("the router is\n%s", x.text)
	}
}

// addChains adds the chains to the named routes of a router, to which chain and the names
// in prefix lead.
func addChains(chains map[string][]specChain, router []*routeSpec, chain specChain, prefix string) {
	for _, s := range router {
		longer := append(slices.Clip(chain), chainLink{router, s})
		innerPrefix := prefix
		if s.name != "" {
			chains[prefix+s.name] = append(chains[prefix+s.name], longer)
			innerPrefix += s.name + ":"
		}
		if s.visibleToRouter() {
			addChains(chains, s.inner, longer, innerPrefix)
		}
	}
}

// compareName checks that the path of URLFor leads through the chain and has the
// parameters; or, if URLFor returns an error, that the obvious path does not.
func (x *comparison) compareName(name string, chain specChain) {
	x.Helper()
	params := x.randomParams(chain)
	got, err := x.urls.URLFor(name, params)
	if err != nil {
		path, ok := chain.fillPatterns(params)
		if _, canonical := refForm(escapePath(path)); ok && canonical && chain.matches(path, params) && !chain.hasEarlierMatch(path) {
			x.Errorf("URLFor(%q, %q) returned %v, but %q leads to the route", name, params, err, path)
		}
		return
	}
	if err := checkReadAsWritten(got); err != nil {
		x.Errorf("URLFor(%q, %q) returned %q: %v", name, params, got, err)
		return
	}
	form, canonical := refForm(got)
	switch {
	case !canonical:
		x.Errorf("URLFor(%q, %q) returned %q, which is not canonical", name, params, got)
	case !chain.matches(form, params):
		x.Errorf("URLFor(%q, %q) returned %q, which does not lead to the route with these parameters", name, params, got)
	case !chain.last().nested && !chain.hasEarlierMatch(form):
		_, _ = x.urls.Open(scopeOf(got))
		if calls := x.rec.drain(); len(calls) == 0 || calls[0].spec != chain.last() {
			x.Errorf("URLFor(%q, %q) returned %q, which leads to %v", name, params, got, calls)
		}
	}
	x.comparePath(got)
}

// checkReadAsWritten returns an error if net/http or browsers read path as something else.
func checkReadAsWritten(path string) error {
	r, err := http.NewRequest(http.MethodGet, "http://example.com"+path, nil)
	if err != nil || r.URL.RequestURI() != path || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return fmt.Errorf("it is read as %+v, %w", r, err)
	}
	return nil
}

// randomParams returns a value for each parameter of the chain.
func (x *comparison) randomParams(chain specChain) map[string]string {
	x.Helper()
	params := map[string]string{}
	for _, link := range chain {
		parts, err := link.route.route.template()
		if err != nil && link.route.name != "" {
			x.Errorf("%v has a name and no template: %v", link.route.route, err)
		}
		for _, p := range parts {
			if p.param != "" {
				params[p.param] = randomValue(x.random, link.route.ref.tree, p.param)
			}
		}
	}
	return params
}

func (chain specChain) last() *routeSpec { return chain[len(chain)-1].route }

// matches reports whether path leads through the chain, and each of params is captured
// with its value.
func (chain specChain) matches(path string, params map[string]string) bool {
	captured := map[string]bool{}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	for _, link := range chain {
		trimmed := strings.TrimPrefix(path, "/")
		at := link.route.ref.match(trimmed)
		if at == nil {
			return false
		}
		found, _ := link.route.ref.captures(trimmed, at)
		for _, p := range found {
			if want, given := params[p.Name]; given && want != p.Value {
				return false
			}
			captured[p.Name] = true
		}
		path = trimmed[at[1]:]
	}
	for name := range params {
		if !captured[name] {
			return false
		}
	}
	return true
}

// hasEarlierMatch reports whether a route in front of one of the chain matches path, which
// leads through the chain.
func (chain specChain) hasEarlierMatch(path string) bool {
	in := refScope{path: path}
	for _, link := range chain {
		for _, s := range link.router[:slices.Index(link.router, link.route)] {
			if _, ok := s.enter(in); ok {
				return true
			}
		}
		in, _ = link.route.enter(in)
	}
	return false
}

// fillPatterns returns the patterns of the chain with params in place of the parameters.
// ok is false if one of them is a regular expression.
func (chain specChain) fillPatterns(params map[string]string) (path string, ok bool) {
	path = "/"
	for _, link := range chain {
		if link.route.kind == "re" {
			return "", false
		}
		path += parameter.ReplaceAllStringFunc(link.route.pattern, func(param string) string {
			return params[parameter.FindStringSubmatch(param)[2]]
		})
	}
	return path, true
}
