package redis_test

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// quiet logs nothing.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open returns a layer, which the test closes.
func open(t *testing.T, o redis.Options) (*layers.Layer, *redis.Driver) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet()
	}
	d := redis.New(o)
	l, err := layers.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return l, d
}

// TestStartFails has servers that the driver does not work with, and what it says about them.
func TestStartFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		name   string
		server redistest.Options
		want   string
	}{
		{testkit.Here(), "cluster", redistest.Options{Config: []string{"cluster-enabled yes"}}, "Redis Cluster"},
		{testkit.Here(), "no HELLO", redistest.Options{Config: []string{`rename-command HELLO ""`}}, "needs Redis 6.0 or newer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			wantNoStart(t, row.at, redistest.New(t, row.server).URL(), row.want)
		})
	}
	t.Run("replica", func(t *testing.T) {
		t.Parallel()
		replica := redistest.New(t, redistest.Options{ReplicaOf: redistest.New(t, redistest.Options{})})
		wantNoStart(t, testkit.Here(), replica.URL(), `its role is "replica"; name the master`)
	})
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		s := redistest.New(t, redistest.Options{})
		s.Stop()
		wantNoStart(t, testkit.Here(), s.URL(), "connection refused; start the server, or correct Options.URLs")
	})
	t.Run("password", func(t *testing.T) {
		t.Parallel()
		s := redistest.New(t, redistest.Options{Password: "secret"})
		wantNoStart(t, testkit.Here(), s.URLOf("", "wrong"), "; correct the password in Options.URLs")
		wantNoStart(t, testkit.Here(), "redis://"+s.Addr(), "; give the password in Options.URLs")
	})
}

// wantNoStart wants the start of a driver on the server at url to fail. The text of the error
// names the server and no secrets.
func wantNoStart(t *testing.T, at testkit.Line, url, want string) {
	t.Helper()
	l, err := layers.Open(t.Context(), redis.New(redis.Options{URLs: []string{url}, Logger: quiet()}))
	if err == nil {
		t.Errorf("%s: the driver has started", at)
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		return
	}
	text := err.Error()
	address := url[strings.LastIndexAny(url, "@/")+1:]
	if !strings.Contains(text, want) || !strings.Contains(text, address) || strings.Contains(text, "wrong") {
		t.Errorf("%s: %v; want %q and the server's address in it, and no password", at, err, want)
	}
}

var aclLine = regexp.MustCompile(`ACL SETUSER <user> (.*)`)

// TestPermissions takes single commands from a user. The driver does not start, and says how to
// permit all that it needs; with that, it starts.
func TestPermissions(t *testing.T) {
	t.Parallel()
	testPermissions(t, redistest.Options{})
}

func testPermissions(t *testing.T, so redistest.Options) {
	t.Helper()
	so.ACL = []string{"wye on >secret"}
	s := redistest.New(t, so)
	for _, row := range []struct {
		at   testkit.Line
		rule string
		want string // the command in the error
	}{
		{testkit.Here(), "-publish", "'publish'"},
		{testkit.Here(), "-psubscribe", "'psubscribe'"},
		{testkit.Here(), "resetchannels", "channel"},
	} {
		s.CLI(t, "ACL", "SETUSER", "wye", "reset", "on", ">secret", "~*", "&*", "+@all")
		s.CLI(t, "ACL", "SETUSER", "wye", row.rule)
		wantNoStart(t, row.at, s.URLOf("wye", "secret"), row.want)
		_, err := layers.Open(t.Context(), redis.New(redis.Options{URLs: []string{s.URLOf("wye", "secret")}}))
		if err == nil {
			continue // reported by wantNoStart
		}
		rules := aclLine.FindStringSubmatch(err.Error())
		if rules == nil {
			t.Errorf("%s: %v; want what to permit", row.at, err)
			continue
		}
		s.CLI(t, append([]string{"ACL", "SETUSER", "wye", "reset", "on", ">secret"}, strings.Fields(rules[1])...)...)
		open(t, redis.Options{URLs: []string{s.URLOf("wye", "secret")}})
	}
}

// freeze has s be silent until the end of the test.
func freeze(t *testing.T, s *redistest.Server) {
	t.Helper()
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Thaw(); err != nil {
			t.Error(err)
		}
	})
}

// TestStartEndsWithCtx starts on a server that does not answer.
func TestStartEndsWithCtx(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	freeze(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := layers.Open(ctx, redis.New(redis.Options{URLs: []string{s.URL()}})); err == nil || ctx.Err() == nil {
		t.Errorf("the driver has started: %v", err)
	}
}
