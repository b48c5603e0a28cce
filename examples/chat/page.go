package main

import (
	_ "embed"
	"net/http"
)

//go:embed page.html
var pageHTML []byte

// policy lets the page run its own script and talk to its own server.
const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'"

// page serves the page at / and nothing else.
func page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(pageHTML) //nolint:errcheck // the browser may have gone
	})
	return mux
}
