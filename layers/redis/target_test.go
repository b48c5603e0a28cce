package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// openAndClose opens a layer with these options and closes it.
func openAndClose(t *testing.T, at testkit.Line, o redis.Options) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	layer, err := layers.Open(t.Context(), redis.New(o))
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	if err := layer.Close(t.Context()); err != nil {
		t.Errorf("%s: %v", at, err)
	}
}

// TestConnects has the kinds of URLs, with real servers.
func TestConnects(t *testing.T) {
	t.Parallel()
	secure := redistest.New(t, redistest.Options{TLS: true, Password: "p/a?s#s@%:"})
	plain := redistest.New(t, redistest.Options{ACL: []string{"wye on >s3cret ~asgi* &* +@all"}})
	sentinel := redistest.NewSentinel(t, redistest.SentinelOptions{Replicas: 1})
	addrs := strings.Join(sentinel.Addrs(), ",")
	noCredentials := func(context.Context) (user, password string, err error) { return "", "", nil }
	for _, row := range []struct {
		at      testkit.Line
		options redis.Options
	}{
		{testkit.Here(), redis.Options{URLs: []string{secure.URL()}, TLS: secure.TLSConfig()}},
		{testkit.Here(), redis.Options{URLs: []string{plain.URLOf("wye", "s3cret") + "/3"}}},
		{testkit.Here(), redis.Options{URLs: []string{plain.SocketURL() + "?db=3&username=wye&password=s3cret"}}},
		{testkit.Here(), redis.Options{URLs: []string{"redis+sentinel://" + addrs + "/" + sentinel.Name + "/2"}}},
		{testkit.Here(), redis.Options{URLs: []string{"redis+sentinel://" + addrs + "/" + sentinel.Name}, Credentials: noCredentials, SentinelCredentials: noCredentials}},
	} {
		openAndClose(t, row.at, row.options)
	}
	_, err := layers.Open(t.Context(), redis.New(redis.Options{URLs: []string{secure.URL()}}))
	if err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "p/a") {
		t.Errorf("without the authority of the certificate: %v", err)
	}
}

// TestCredentials: each connection asks for them, and servers and Sentinels have their own.
func TestCredentials(t *testing.T) {
	t.Parallel()
	sentinel := redistest.NewSentinel(t, redistest.SentinelOptions{Replicas: 1, Server: redistest.Options{
		ACL: []string{"wye on >old ~* &* +@all"}, Password: "unknown",
	}})
	for _, s := range sentinel.Sentinels {
		s.CLI(t, "ACL", "SETUSER", "watcher", "on", ">watched", "~*", "&*", "+@all")
	}
	var password atomic.Pointer[string]
	use := func(p string) { password.Store(&p) }
	use("old")
	var asked, askedSentinels atomic.Int64
	o := redis.Options{
		URLs: []string{"redis+sentinel://" + strings.Join(sentinel.Addrs(), ",") + "/" + sentinel.Name},
		Credentials: func(context.Context) (string, string, error) {
			asked.Add(1)
			return "wye", *password.Load(), nil
		},
		SentinelCredentials: func(context.Context) (string, string, error) {
			askedSentinels.Add(1)
			return "watcher", "watched", nil
		},
	}
	openAndClose(t, testkit.Here(), o)
	if asked.Load() == 0 || askedSentinels.Load() == 0 {
		t.Errorf("%d connections to servers and %d to Sentinels asked for credentials", asked.Load(), askedSentinels.Load())
	}
	sentinel.Servers[0].CLI(t, "ACL", "SETUSER", "wye", ">new", "<old")
	_, err := layers.Open(t.Context(), redis.New(o))
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("with the old password: %v", err)
	}
	use("new")
	openAndClose(t, testkit.Here(), o)
	errVault := errors.New("the vault is sealed")
	o.Credentials = func(context.Context) (string, string, error) { return "", "", errVault }
	if _, err = layers.Open(t.Context(), redis.New(o)); err == nil || !strings.Contains(err.Error(), errVault.Error()) {
		t.Errorf("without credentials: %v", err)
	}
}
