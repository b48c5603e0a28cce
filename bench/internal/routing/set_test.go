package routing

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// set is a list of routes that every router gets, as router.Path has them.
type set struct {
	name  string
	route func(i int) string
}

func sets() []set {
	return []set{
		{"static", func(i int) string { return fmt.Sprintf("r%d/list/", i) }},
		{"param", func(i int) string { return fmt.Sprintf("r%d/<slug:x>/", i) }},
		{"behind", func(i int) string { return fmt.Sprintf("api/<int:id>/thing%d/edit/", i) }}, // the parameter
		{"rest", rest},
	}
}

// rest is a route of an API like that of a code host: resources of repositories,
// people and organisations, ten routes to each, up to four parameters in a route.
func rest(i int) string {
	const each = 10
	resources := []string{"issues", "pulls", "hooks", "keys", "labels", "teams", "events", "releases", "branches", "members"}
	name := resources[i/each%len(resources)]
	if again := i / each / len(resources); again > 0 {
		name += fmt.Sprint(again)
	}
	return strings.ReplaceAll([each]string{
		"repos/<owner>/<repo>/NAME/",
		"repos/<owner>/<repo>/NAME/<int:number>/",
		"repos/<owner>/<repo>/NAME/<int:number>/edit/",
		"repos/<owner>/<repo>/NAME/<int:number>/comments/",
		"repos/<owner>/<repo>/NAME/<int:number>/comments/<int:id>/",
		"users/<user>/NAME/",
		"orgs/<org>/NAME/",
		"orgs/<org>/NAME/<slug:name>/",
		"NAME/",
		"NAME/search/",
	}[i%each], "NAME", name)
}

// patterns are the first n routes.
func (s set) patterns(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s.route(i)
	}
	return all
}

var parameter = regexp.MustCompile(`<(?:(\w+):)?(\w+)>`)

// firstParam is the name of a pattern's first parameter, or "".
func firstParam(pattern string) string {
	if m := parameter.FindStringSubmatch(pattern); m != nil {
		return m[2]
	}
	return ""
}

// value is what paths have for a parameter of every type.
const value = "4711"

// pathOf is a path that goes to the pattern.
func pathOf(pattern string) string { return "/" + parameter.ReplaceAllString(pattern, value) }

// place is what is asked for.
type place struct {
	name  string
	path  string
	route int // none: -1
}

// places are four of them. What is not there is what the middle route has, with
// a parameter that is no slug, and with more behind it: most routers take any
// parameter, and an unanchored expression takes what is behind.
func places(patterns []string) []place {
	last := len(patterns) - 1
	middle := len(patterns) / 2
	return []place{
		{"first", pathOf(patterns[0]), 0},
		{"middle", pathOf(patterns[middle]), middle},
		{"last", pathOf(patterns[last]), last},
		{"none", strings.ReplaceAll(pathOf(patterns[middle]), value, "!!!!") + "nope/nope/", -1},
	}
}

// seen is what the application that was called has seen.
type seen struct {
	route int // -1: none was called
	value string
}

// want is what it should be.
func (p place) want(patterns []string) seen {
	s := seen{route: p.route}
	if p.route >= 0 && firstParam(patterns[p.route]) != "" {
		s.value = value
	}
	return s
}

func request(tb testing.TB, path string) *http.Request {
	tb.Helper()
	return httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, http.NoBody)
}
