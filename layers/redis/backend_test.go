package redis_test

import (
	"flag"
	"io"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/redis"
)

func TestBackendText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		text string
		want redis.Backend
		ok   bool
	}{
		{testkit.Here(), "pubsub", redis.PubSub, true},
		{testkit.Here(), "core", redis.Core, true},
		{testkit.Here(), "", 0, false},
		{testkit.Here(), "Core", 0, false},
		{testkit.Here(), "channels_redis.core.RedisChannelLayer", 0, false},
	} {
		var got redis.Backend
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		flags.TextVar(&got, "backend", redis.PubSub, "")
		err := flags.Parse([]string{"-backend", row.text})
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%s: %q is parsed as %v, %v", row.at, row.text, got, err)
		}
		if row.ok && got.String() != row.text {
			t.Errorf("%s: the text of %v is %q, want %q", row.at, int(got), got, row.text)
		}
	}
	if b, err := redis.Backend(7).MarshalText(); err == nil || redis.Backend(7).String() != "Backend(7)" {
		t.Errorf("the text of a backend that does not exist is %q", b)
	}
}

func TestOptionsFor(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		url     string
		want    string
		backend redis.Backend
	}{
		{testkit.Here(), "redis://h:1/2", "redis://h:1/2", redis.PubSub},
		{testkit.Here(), "redis+core://u:p@h:1/2", "redis://u:p@h:1/2", redis.Core},
		{testkit.Here(), "rediss+core://h", "rediss://h", redis.Core},
		{testkit.Here(), "unix+core:///run/redis.sock", "unix:///run/redis.sock", redis.Core},
		{testkit.Here(), "redis+sentinel+core://h/m", "redis+sentinel://h/m", redis.Core},
		{testkit.Here(), "redis://u:+core://", "redis://u:+core://", redis.PubSub},
		{testkit.Here(), "x", "x", redis.PubSub}, // an error of layers.Open
	} {
		o := redis.OptionsFor(row.url)
		if !slices.Equal(o.URLs, []string{row.want}) || o.Backend != row.backend {
			t.Errorf("%s: %q means %q and %v, want %q and %v", row.at, row.url, o.URLs, o.Backend, row.want, row.backend)
		}
	}
}
