package main

import (
	"context"
	"net/http"
)

// login starts a session for anyone with a name. A real shop checks a password.
func (s *shop) login(w http.ResponseWriter, r *http.Request) {
	ctx, name := context.WithoutCancel(r.Context()), r.PostFormValue("name")
	if name == "" {
		http.Error(w, "who are you?", http.StatusBadRequest)
		return
	}
	before := s.sessions.Token(ctx) // new
	if err := s.sessions.RenewToken(ctx); err != nil {
		http.Error(w, "the session cannot be renewed", http.StatusInternalServerError)
		return
	}
	s.sessions.Put(ctx, "user", name)
	hangUp(ctx, before) // new
	w.WriteHeader(http.StatusNoContent)
}

func (s *shop) logout(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context())
	before := s.sessions.Token(ctx) // new
	if err := s.sessions.Destroy(ctx); err != nil {
		http.Error(w, "the session cannot be deleted", http.StatusInternalServerError)
		return
	}
	hangUp(ctx, before) // new
	w.WriteHeader(http.StatusNoContent)
}

// loggedIn is middleware that requires a session.
func (s *shop) loggedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.user(r.Context()) == "" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *shop) user(ctx context.Context) string { return s.sessions.GetString(ctx, "user") }
