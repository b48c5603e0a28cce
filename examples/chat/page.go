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

// policy lets the page load its own files and talk to its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var aGroup = regexp.MustCompile(`^` + groups + `$`)

// page is everything that is not a socket: the page of each room, its files, and
// who one is.
func (c *chat) page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /room/{group}/{$}", index)
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) { serve(w, r, r.PathValue("file")) })
	mux.HandleFunc("GET /me", c.people.get)
	mux.HandleFunc("POST /me", c.people.post)
	mux.HandleFunc("DELETE /me", c.people.forget)
	return http.NewCrossOriginProtection().Handler(c.guarded(mux))
}

// guarded adds what makes browsers careful.
func (c *chat) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.proxies.unnamed(r) {
			c.unnamed.Do(func() {
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

// index is the page, the same for all rooms: it sees from its address which.
func index(w http.ResponseWriter, r *http.Request) {
	group := r.PathValue("group")
	if group == "" {
		group = r.URL.Query().Get("group")
	}
	if group != "" && !aGroup.MatchString(group) {
		http.Error(w, "A room's name has 1 to 99 letters (A to Z), digits, hyphens and underscores.", http.StatusNotFound)
		return
	}
	serve(w, r, "index.html")
}

// serve serves a file of the page. Browsers ask each time whether it is another.
func serve(w http.ResponseWriter, r *http.Request, name string) {
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
