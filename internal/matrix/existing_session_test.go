package matrix_test

import (
	"context"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
)

type customer struct {
	consumer.Base
	sessions *scs.SessionManager
	token    string
}

func (c *customer) Connect(ctx context.Context, _ *consumer.Conn) error {
	if c.sessions.GetString(ctx, "user") == "" {
		return consumer.NewRejectError(http.StatusUnauthorized, "log in first")
	}
	c.token = c.sessions.Token(ctx)
	return nil
}

func (c *customer) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	session, err := c.sessions.Load(ctx, c.token) // as it is now
	if err != nil {
		return err
	}
	user := c.sessions.GetString(session, "user")
	if user == "" {
		return consumer.NewCloseError(4001, "you have logged out")
	}
	return conn.SendText(ctx, user+": "+m.Text())
}

func withSessions(sessions *scs.SessionManager, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("GET /live", websocket.Handler(consumer.New(func(*consumer.Scope) *customer {
		return &customer{sessions: sessions}
	})))
	return sessions.LoadAndSave(mux)
}
