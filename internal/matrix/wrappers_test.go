package matrix_test

import (
	"io"
	"net/http"

	"github.com/NYTimes/gziphandler"
	"github.com/gorilla/handlers"
	"github.com/klauspost/compress/gzhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/wye-go/wye/internal/testkit"
)

// wayOut is how what is behind a wrapper can take the connection over.
type wayOut uint8

const (
	hijack wayOut = iota // by asking the writer, or what it wraps
	unwrap               // by asking what the writer wraps, as http.ResponseController does
	none                 // not at all
)

// wrapperRow is middleware in front of a router.
type wrapperRow struct {
	name   string
	at     testkit.Line
	leaves wayOut
	wrap   func(http.Handler) http.Handler
}

func wrappers() []wrapperRow {
	return append(good(),
		wrapperRow{"all of them", testkit.Here(), hijack, allWrappers},
		wrapperRow{"a wrapper with Unwrap", testkit.Here(), unwrap, unwrapOnly},
		// It answers for the handler when that takes too long, and so has to keep the connection.
		wrapperRow{"http.TimeoutHandler", testkit.Here(), none, timeout},
		wrapperRow{"a naive wrapper", testkit.Here(), none, naiveOnly},
		// gzhttp asks what the next writer wraps, and gziphandler does not.
		wrapperRow{"gzhttp behind Unwrap", testkit.Here(), hijack, func(h http.Handler) http.Handler { return unwrapOnly(gzhttp.GzipHandler(h)) }},
		wrapperRow{"gziphandler behind Unwrap", testkit.Here(), none, func(h http.Handler) http.Handler { return unwrapOnly(gziphandler.GzipHandler(h)) }},
	)
}

// good is middleware that lets a connection be taken over.
func good() []wrapperRow {
	return []wrapperRow{
		{"nothing", testkit.Here(), hijack, func(h http.Handler) http.Handler { return h }},
		{"otelhttp", testkit.Here(), hijack, otelhttp.NewMiddleware("rooms")},
		{"gzhttp", testkit.Here(), hijack, func(h http.Handler) http.Handler { return gzhttp.GzipHandler(h) }},
		{"gziphandler", testkit.Here(), hijack, gziphandler.GzipHandler},
		{"gorilla CompressHandler", testkit.Here(), hijack, handlers.CompressHandler},
		{"gorilla CombinedLoggingHandler", testkit.Here(), hijack, combinedLogging},
		{"gorilla RecoveryHandler", testkit.Here(), hijack, handlers.RecoveryHandler()},
		{"scs", testkit.Here(), hijack, func(h http.Handler) http.Handler { return newSCS().LoadAndSave(h) }},
	}
}

func combinedLogging(h http.Handler) http.Handler {
	return handlers.CombinedLoggingHandler(io.Discard, h)
}

func allWrappers(h http.Handler) http.Handler {
	for _, w := range good() {
		h = w.wrap(h)
	}
	return h
}

func timeout(h http.Handler) http.Handler { return http.TimeoutHandler(h, long, "too late") }

func naiveOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&naive{ResponseWriter: w}, r)
	})
}

// unwrapOnly sees the status of answers, as middleware of today does.
func unwrapOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&unwrapper{naive{ResponseWriter: w}}, r)
	})
}

// naive is what people write to see the status of an answer.
type naive struct {
	http.ResponseWriter
	status int
}

func (n *naive) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

type unwrapper struct{ naive }

func (u *unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }
