package router

import (
	"strconv"

	"github.com/wye-go/wye/protocol"
)

// Converter says what a parameter of a [Path] may be.
type Converter struct {
	// Expr is a regular expression in Go's syntax for all of the parameter,
	// for example "[0-9]{4}". It may capture nothing.
	Expr string
	// Check, if it is not nil, looks at a text that Expr matches. An error
	// means that the route does not match, and the next is tried. It may run
	// more than once per connection and concurrently, and must not block.
	Check func(text string) error
}

// Converters are a program's own types of parameters, by the name that stands
// before the colon. One of the name of a built-in type takes its place. They
// belong to the routes made with them, so that two packages may use one name:
//
//	types := router.Converters{"year": {Expr: "[0-9]{4}"}}
//	types.Path("archive/<year:from>/", app)
type Converters map[string]Converter

// Path is [Path] with the types of c beside the built-in ones.
func (c Converters) Path(pattern string, app protocol.Application) Route {
	at := caller()
	e, err := compilePath(pattern, c, true)
	return newRoute("route", e, err, app, at)
}

// Mount is [Mount] with the types of c beside the built-in ones.
func (c Converters) Mount(pattern string, app protocol.Application) Route {
	at := caller()
	e, err := compilePath(pattern, c, false)
	r := newRoute("mount", e, err, app, at)
	r.mounted = true
	return r
}

// find returns the converter of a name.
func (c Converters) find(name string) (Converter, bool) {
	if own, ok := c[name]; ok {
		return own, true
	}
	switch name {
	case "str":
		return Converter{Expr: `[^/]+`}, true
	case "int":
		return Converter{Expr: `[0-9]+`, Check: fitsInt64}, true
	case "slug":
		return Converter{Expr: `[-a-zA-Z0-9_]+`}, true
	case "uuid":
		return Converter{Expr: `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`}, true
	case "path":
		return Converter{Expr: `.+`}, true
	case "group":
		return Converter{Expr: `[-a-zA-Z0-9_.]{1,99}`}, true // layers.MaxName
	}
	return Converter{}, false
}

func fitsInt64(text string) error {
	_, err := strconv.ParseInt(text, 10, 64)
	return err
}
