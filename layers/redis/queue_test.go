package redis_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

type job struct {
	N int `json:"n"`
}

var shrink = protocol.EventType[job]{Name: "thumbnails.resize"}

// pushJobs sends jobs from first to last to a channel.
func pushJobs(t *testing.T, l *layers.Layer, channel string, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		if err := l.Send(t.Context(), channel, shrink.New(job{n})); err != nil {
			t.Fatalf("job %d: %v", n, err)
		}
	}
}

// pullJob returns the number of the next job.
func pullJob(t *testing.T, l *layers.Layer, channel string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, err := l.Pull(ctx, channel)
	if err != nil {
		t.Fatal(err)
	}
	j, err := shrink.Payload(e)
	if err != nil {
		t.Fatal(err)
	}
	return j.N
}

func wantPulled(t *testing.T, l *layers.Layer, channel string, want ...int) {
	t.Helper()
	for i, n := range want {
		if got := pullJob(t, l, channel); got != n {
			t.Fatalf("pull %d: job %d, want %d", i, got, n)
		}
	}
}

// TestQueueFormat looks at what is in Redis, and has others write there.
func TestQueueFormat(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	const plain = "82a474797065b17468756d626e61696c732e726573697a65a16e07"
	for _, row := range []struct {
		at      testkit.Line
		options redis.Options
		want    string // what a member is behind its random prefix; of encrypted ones, how it starts
	}{
		{testkit.Here(), redis.Options{}, plain},
		{testkit.Here(), redis.Options{Prefix: "site1:", RandomPrefixLength: 3}, plain},
		{testkit.Here(), redis.Options{Prefix: "none", RandomPrefixLength: -1}, plain},
		{testkit.Here(), redis.Options{Prefix: "json", Serializer: "json"}, hex.EncodeToString([]byte(`{"type": "thumbnails.resize", "n": 7}`))},
		{testkit.Here(), redis.Options{Prefix: "secret", EncryptionKeys: []string{"key"}}, hex.EncodeToString([]byte("gAAAAA"))},
	} {
		row.options.URLs = []string{server.URL()}
		l, _ := open(t, row.options)
		pushJobs(t, l, "thumbnails", 7, 7)
		key := or(row.options.Prefix, "asgi") + "thumbnails"
		stored := strings.Split(server.CLI(t, "ZRANGE", key, "0", "-1", "WITHSCORES"), "\n")
		member, score := strings.Join(stored[:len(stored)-1], "\n"), stored[len(stored)-1]
		random := map[int]int{0: 12, 3: 3, -1: 0}[row.options.RandomPrefixLength]
		if got := hex.EncodeToString([]byte(member[random:])); got != row.want && (row.options.EncryptionKeys == nil || !strings.HasPrefix(got, row.want)) {
			t.Errorf("%s: behind the prefix is %s, want %s", row.at, got, row.want)
		}
		now, err := strconv.ParseFloat(strings.Split(server.CLI(t, "TIME"), "\n")[0], 64)
		at, err2 := strconv.ParseFloat(score, 64)
		if err != nil || err2 != nil || at < now-20 || at > now+1 || !strings.Contains(score, ".") {
			t.Errorf("%s: the score is %s, and the time of the server %v", row.at, score, now)
		}
		if ttl, err := strconv.Atoi(server.CLI(t, "TTL", key)); err != nil || ttl < 30 || ttl > 60 {
			t.Errorf("%s: the key expires in %d s (%v), want at most 60", row.at, ttl, err)
		}
		// Another program adds the same event, later.
		server.CLI(t, "ZADD", key, fmt.Sprint(at+5), strings.Repeat("x", random)+member[random:])
		wantPulled(t, l, "thumbnails", 7)
		if random > 0 { // without a prefix it is the same member
			wantPulled(t, l, "thumbnails", 7)
		}
		if n := server.CLI(t, "EXISTS", key); n != "0" {
			t.Errorf("%s: something is left in the channel", row.at)
		}
	}
}

func or(s, ifEmpty string) string {
	if s == "" {
		return ifEmpty
	}
	return s
}

// TestQueueOrder: events of one sender are pulled in the order in which they were sent, also
// those of the same microsecond.
func TestQueueOrder(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	o := redis.Options{URLs: []string{server.URL()}, Channels: []redis.ChannelLimit{{Pattern: "*", Capacity: 1000}}}
	a, _ := open(t, o)
	b, _ := open(t, o)
	pushJobs(t, a, "jobs", 0, 499)
	for n := range 500 {
		wantPulled(t, []*layers.Layer{a, b}[n%2], "jobs", n)
	}
	// The clock of a sender is a little ahead.
	pushJobs(t, a, "jobs", 0, 0)
	last := strings.Split(server.CLI(t, "ZRANGE", "asgijobs", "-1", "-1", "WITHSCORES"), "\n")
	ahead, err := strconv.ParseFloat(last[len(last)-1], 64)
	if err != nil {
		t.Fatal(err)
	}
	server.CLI(t, "ZADD", "asgijobs", fmt.Sprintf("%f", ahead+0.9), "0123456789ab\x82\xa4type\xb1thumbnails.resize\xa1n\x01")
	pushJobs(t, a, "jobs", 2, 3)
	wantPulled(t, a, "jobs", 0, 1, 2, 3)
}

// TestQueueLimits has capacity and expiry by the clock of the server.
func TestQueueLimits(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	l, d := open(t, redis.Options{URLs: []string{server.URL()}, Channels: []redis.ChannelLimit{
		{Pattern: "small", Capacity: 3}, {Pattern: "short", Expiry: 1500 * time.Millisecond},
	}})
	pushJobs(t, l, "small", 0, 2)
	if err := l.Send(t.Context(), "small", shrink.New(job{3})); !errors.Is(err, layers.ErrChannelFull) {
		t.Errorf("a full channel: %v", err)
	}
	wantPulled(t, l, "small", 0)
	pushJobs(t, l, "small", 3, 3)
	wantPulled(t, l, "small", 1, 2, 3)
	pushJobs(t, l, "large", 0, 99)
	if err := l.Send(t.Context(), "large", shrink.New(job{})); !errors.Is(err, layers.ErrChannelFull) {
		t.Errorf("a channel with the default capacity: %v", err)
	}

	pushJobs(t, l, "short", 0, 4)
	if ttl := server.CLI(t, "TTL", "asgishort"); ttl != "2" && ttl != "1" {
		t.Errorf("the key expires in %s s", ttl)
	}
	makeOlder(t, server, "asgishort", 2)
	pushJobs(t, l, "short", 5, 5)
	wantPulled(t, l, "short", 5)
	if n := d.Expired(); n != 5 {
		t.Errorf("%d events have expired, want 5", n)
	}
	pushJobs(t, l, "short", 6, 7)
	makeOlder(t, server, "asgishort", 2) // and nobody sends
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if e, err := l.Pull(ctx, "short"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("pulled %v (%v) after its expiry", e, err)
	}
	if n := l.Stats().Expired; n != 7 {
		t.Errorf("%d events have expired, want 7", n)
	}
}

// makeOlder makes the events of a key older, and has the key stay.
func makeOlder(t *testing.T, server *redistest.Server, key string, seconds int) {
	t.Helper()
	server.CLI(t, "EVAL", `for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -ARGV[1], m) end `+
		`redis.call('PERSIST', KEYS[1])`, "1", key, strconv.Itoa(seconds))
}

// TestQueueDropsWhatItCannotRead: what cannot be decoded is dropped and logged, and the next
// event is returned.
func TestQueueDropsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	var log testkit.Buffer
	l, d := open(t, redis.Options{URLs: []string{server.URL()}, EncryptionKeys: []string{"key"}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	server.CLI(t, "ZADD", "asgijobs", "99999999990", "short", "99999999991", "0123456789ab\x81\xa4type\xa1x", "99999999992", "0123456789abgAAAAABlU_EA")
	other, _ := open(t, redis.Options{URLs: []string{server.URL()}, EncryptionKeys: []string{"another key"}})
	pushJobs(t, other, "jobs", 0, 0)
	pushJobs(t, l, "jobs", 1, 1)
	wantPulled(t, l, "jobs", 1)
	wantNoJobs(t, l)
	if n := d.Stats().Malformed; n != 4 {
		t.Errorf("%d events were dropped, want 4", n)
	}
	if text := log.String(); !strings.Contains(text, "a message could not be decoded") || !strings.Contains(text, "to=jobs") {
		t.Errorf("logged %s", text)
	}
}

// wantNoJobs pulls for a while and wants nothing.
func wantNoJobs(t *testing.T, l *layers.Layer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if e, err := l.Pull(ctx, "jobs"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("pulled %v (%v), want nothing", e, err)
	}
}

// TestPushToPubSubConsumer: the name of a consumer of channels_redis's Pub/Sub layer is no
// named channel.
func TestPushToPubSubConsumer(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{server.URL()}})
	const name = "asgispecific.0123456789abcdef0123456789abcdef"
	if err := l.TrySend(t.Context(), name, shrink.New(job{1})); !errors.Is(err, layers.ErrNoConsumer) {
		t.Errorf("to a consumer that has gone: %v", err)
	}
	c, err := server.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(t.Context(), "SUBSCRIBE", name); err != nil {
		t.Fatal(err)
	}
	if err := l.TrySend(t.Context(), name, shrink.New(job{1})); err != nil {
		t.Fatal(err)
	}
	got, err := c.Receive(t.Context())
	if want := "message\n" + name + "\n\x82\xa4type\xb1thumbnails.resize\xa1n\x01"; err != nil || redistest.Text(got) != want {
		t.Errorf("received %q (%v), want %q", redistest.Text(got), err, want)
	}
	for _, channel := range []string{
		"specific.0123456789abcdef0123456789abcdef", "asgi0123456789abcdef0123456789abcdef", "asgix.0123456789abcdef0123456789abcdeF", "asgi.x",
	} {
		pushJobs(t, l, channel, 1, 1)
		wantPulled(t, l, channel, 1)
	}
}

// forbid takes a command from all users.
func forbid(command string) func(*testing.T, *redistest.Server) {
	return func(t *testing.T, s *redistest.Server) {
		t.Helper()
		s.CLI(t, "ACL", "SETUSER", "default", "-"+command)
	}
}

// TestQueueRefusals: a server that refuses counts as down, and the error says what to do.
func TestQueueRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		name    string
		server  redistest.Options
		prepare func(t *testing.T, s *redistest.Server)
		push    string // in the error of Send
		pull    string // in the error of Pull; "" if it works
	}{
		{testkit.Here(), "OOM", redistest.Options{}, func(t *testing.T, s *redistest.Server) {
			t.Helper()
			s.CLI(t, "CONFIG", "SET", "maxmemory", "1")
		}, "raise maxmemory", ""},
		{testkit.Here(), "READONLY", redistest.Options{}, func(t *testing.T, s *redistest.Server) {
			t.Helper()
			s.CLI(t, "REPLICAOF", "127.0.0.1", "1")
		}, "master", "master"},
		{testkit.Here(), "NOREPLICAS", redistest.Options{}, func(t *testing.T, s *redistest.Server) {
			t.Helper()
			s.CLI(t, "CONFIG", "SET", "min-replicas-to-write", "1")
		}, "min-replicas-to-write", "min-replicas-to-write"},
		{testkit.Here(), "NOPERM", redistest.Options{}, forbid("zremrangebyscore"), "ACL SETUSER <user> ~asgi* ", "ACL SETUSER <user> ~asgi* "},
		{
			testkit.Here(), "NOPERM of Valkey", redistest.Options{Valkey: true}, forbid("zremrangebyscore"),
			"ACL SETUSER <user> ~asgi* ", "ACL SETUSER <user> ~asgi* ",
		},
		{
			testkit.Here(), "NOPERM of scripts", redistest.Options{}, forbid("evalsha"),
			"ACL SETUSER <user> ~asgi* ", "ACL SETUSER <user> ~asgi* ",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.New(t, row.server)
			l, _ := open(t, redis.Options{URLs: []string{server.URL()}})
			pushJobs(t, l, "jobs", 0, 0)
			row.prepare(t, server)
			err := l.Send(t.Context(), "jobs", shrink.New(job{1}))
			if !errors.Is(err, layers.ErrDown) || !strings.Contains(err.Error(), row.push) {
				t.Errorf("%s: Send returned %v, want ErrDown and %q", row.at, err, row.push)
			}
			if row.pull == "" {
				wantPulled(t, l, "jobs", 0)
				return
			}
			if _, err := l.Pull(t.Context(), "jobs"); !errors.Is(err, layers.ErrDown) || !strings.Contains(err.Error(), row.pull) {
				t.Errorf("%s: Pull returned %v, want ErrDown and %q", row.at, err, row.pull)
			}
		})
	}
}

// TestQueueWrongType: a key of another program is an error, but not an outage.
func TestQueueWrongType(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{server.URL()}})
	server.CLI(t, "SET", "asgijobs", "x")
	_, err := l.Pull(t.Context(), "jobs")
	for _, err := range []error{err, l.Send(t.Context(), "jobs", shrink.New(job{1}))} {
		if err == nil || errors.Is(err, layers.ErrDown) || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("%v, want WRONGTYPE", err)
		}
	}
}

// TestQueuePermissions: what the error says about permissions is enough.
func TestQueuePermissions(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, redistest.Options{ACL: []string{"wye on >secret ~asgi* &*"}})
	_, err := layers.Open(t.Context(), redis.New(redis.Options{URLs: []string{server.URLOf("wye", "secret")}, Logger: quiet()}))
	if err == nil {
		t.Fatal("the driver has started without permissions")
	}
	_, rules, ok := strings.Cut(err.Error(), "ACL SETUSER <user> ")
	if !ok {
		t.Fatalf("the error has no rules: %v", err)
	}
	server.CLI(t, append([]string{"ACL", "SETUSER", "wye"}, strings.Fields(rules)...)...)
	l, _ := open(t, redis.Options{URLs: []string{server.URLOf("wye", "secret")}})
	pushJobs(t, l, "jobs", 0, 1)
	wantPulled(t, l, "jobs", 0, 1)
	wantNoJobs(t, l)
	if n := blocked(t, server); n != 0 {
		t.Errorf("%d connections are still blocked", n)
	}
}

// blocked returns how many connections wait for events.
func blocked(t *testing.T, server *redistest.Server) int {
	t.Helper()
	_, rest, _ := strings.Cut(server.CLI(t, "INFO", "clients"), "blocked_clients:")
	digits, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
