// Package router sends every connection to the code that serves it.
//
// A [ProtocolTypeRouter] is the root of a program: plain HTTP goes to an
// ordinary http.Handler, and requests that speak a protocol go to it. Behind a
// protocol stands an application, often a [URLRouter], which picks one by the
// path. The words are those of Django Channels.
//
// # Paths
//
// A URLRouter reads a path as http.ServeMux does (Go 1.22 and later): the escaped path
// is split at its slashes, and each segment is decoded by itself. So %2F never separates
// segments: it is a slash within one, which a parameter may contain. "<room>" and
// [^/]+ match "a%2Fb", and [protocol.Scope.Param] returns "a/b"; "<path:rest>", .+ and
// other classes of characters that exclude some match it as well; a / that is written
// in a pattern, and classes that list what they match, such as \w and [a-z/], do not.
//
// There is one spelling of a path that leads anywhere. A path that is not canonical, of
// which something in front of the router may have taken another view, is 404 whatever the
// routes are: one with an empty segment or one of "." and ".." ("//", "/./", "/..%2F"),
// one that escapes what never needs it ("/%61dmin/", "/%2e%2e/"), one with control
// characters, one that is not UTF-8. [protocol.Scope.RoutePath] has the whole rule. It
// looks at the path that the peer has sent as well, so that neither http.StripPrefix nor
// middleware that cleans paths hides it. Two differences are left to the peer, because
// honest clients write both: %C3%A9 and %c3%a9 are the same letter, and %2B and %40 are
// the same as + and @. Muxes that compare paths without decoding them (chi, echo) tell
// these apart, so write what is denied there in ASCII letters, digits and - . _ ~ only.
//
// Plain HTTP is not concerned: the plain handler of a ProtocolTypeRouter gets every path
// as it came, and a http.ServeMux there redirects to the canonical one, as ever.
package router
