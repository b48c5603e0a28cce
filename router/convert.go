package router

import "strconv"

// Converter is a type of parameter in the pattern of a [Path] or [Mount].
type Converter struct {
	// Expr is a regular expression in the syntax of package regexp, for example
	// "[0-9]{4}". The whole parameter must match it. It is required. It must not
	// have capturing groups, and needs no ^ and $.
	Expr string
	// Check, if it is not nil, is called with a text that Expr matches. If it
	// returns an error, the route does not match, and the router tries the next
	// one. Check may be called several times for one connection, and by many
	// connections at the same time. It must not block.
	Check func(text string) error
}

// Converters are a program's own types of parameters, by the name that stands before
// the colon of a parameter. A type with the name of a built-in one replaces it.
//
// The types are known only to routes that are made with the methods of this value, so
// that two packages can use the same name for different types:
//
//	types := router.Converters{"year": {Expr: "[0-9]{4}"}}
//	types.Path("archive/<year:from>/", app)
type Converters map[string]Converter

// find returns the converter with this name: one of c, or else a built-in one.
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
