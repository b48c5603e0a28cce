package matrix_test

import (
	"net/http"

	"github.com/olahol/melody"
)

func melodyChat() http.Handler {
	m := melody.New()

	m.HandleMessage(func(s *melody.Session, text []byte) {
		room := s.MustGet("room")
		_ = m.BroadcastFilter(text, func(other *melody.Session) bool {
			return other.MustGet("room") == room
		})
	})

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = m.HandleRequestWithKeys(w, r, map[string]any{"room": r.PathValue("room")})
	})
}
