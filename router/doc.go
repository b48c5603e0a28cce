// Package router sends every connection to the code that serves it.
//
// A [ProtocolTypeRouter] is the root of a program: plain HTTP goes to an
// ordinary http.Handler, and requests that speak a protocol go to it. Behind a
// protocol stands an application, often a [URLRouter], which picks one by the
// path. The words are those of Django Channels.
package router
