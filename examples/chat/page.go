package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"time"
)

//go:embed page
var files embed.FS

// policy lets the page load its own files and connect to its own server, and nothing
// else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var roomName = regexp.MustCompile(`^` + roomNames + `$`)

// page serves everything except the WebSocket connections: the page of each room, its
// files, and the person in the cookie.
func (c *chat) page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /room/{group}/{$}", index)
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, r.PathValue("file")) })
	mux.HandleFunc("GET /me", c.people.getMe)
	mux.HandleFunc("POST /me", c.people.postMe)
	mux.HandleFunc("DELETE /me", c.people.deleteMe)
	return http.NewCrossOriginProtection().Handler(c.withHeaders(mux))
}

// withHeaders adds the security headers, and warns the operator about an unknown proxy.
func (c *chat) withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.proxies.viaUnknownProxy(r) {
			c.warnProxy.Do(func() {
				c.log.Warn("chat: a request came through a proxy that -proxies does not name; its clients share the bounds of one address",
					"proxy", r.RemoteAddr)
			})
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// index serves the page, which is the same for all rooms: it reads the room from its
// URL.
func index(w http.ResponseWriter, r *http.Request) {
	group := r.PathValue("group")
	if group == "" {
		group = r.URL.Query().Get("group")
	}
	if group != "" && !roomName.MatchString(group) {
		http.Error(w, "A room's name has 1 to 99 letters (A to Z), digits, hyphens and underscores.", http.StatusNotFound)
		return
	}
	serveFile(w, r, "index.html")
}

// serveFile serves a file of the page. Browsers revalidate it each time.
func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	b, err := fs.ReadFile(files, path.Join("page", path.Base(name)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(b)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Etag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}
