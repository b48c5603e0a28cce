package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/internal/testkit"
)

// secret is a part of all passwords and keys of these tests. No text may have it.
const secret = "s3cret"

func noSecret(t *testing.T, at testkit.Line, text string) {
	t.Helper()
	if strings.Contains(text, secret) {
		t.Errorf("%s: a secret is in %s", at, text)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	type want struct {
		hosts            []string
		db               int
		user, password   string
		tls              bool
		master           string
		sentinelUser     string
		sentinelPassword string
		network          string // "unix" if it is not TCP
		name             string
	}
	for _, row := range []struct {
		at   testkit.Line
		url  string
		want want
	}{
		{testkit.Here(), "redis://localhost:6379", want{hosts: []string{"localhost:6379"}, name: "redis://localhost:6379"}},
		{testkit.Here(), "redis://localhost", want{hosts: []string{"localhost:6379"}, name: "redis://localhost:6379"}},
		{testkit.Here(), "redis://", want{hosts: []string{"localhost:6379"}, name: "redis://localhost:6379"}},
		{testkit.Here(), "redis://:7000", want{hosts: []string{"localhost:7000"}, name: "redis://localhost:7000"}},
		{testkit.Here(), "REDIS://Host:1", want{hosts: []string{"Host:1"}, name: "redis://Host:1"}},
		{testkit.Here(), "redis://h/", want{hosts: []string{"h:6379"}, name: "redis://h:6379"}},
		{testkit.Here(), "redis://h/0", want{hosts: []string{"h:6379"}, name: "redis://h:6379"}},
		{testkit.Here(), "redis://h/3", want{hosts: []string{"h:6379"}, db: 3, name: "redis://h:6379/3"}},
		{testkit.Here(), "redis://h/3/", want{hosts: []string{"h:6379"}, db: 3, name: "redis://h:6379/3"}},
		{testkit.Here(), "redis://h?db=4", want{hosts: []string{"h:6379"}, db: 4, name: "redis://h:6379/4"}},
		{testkit.Here(), "redis://h/4?db=4", want{hosts: []string{"h:6379"}, db: 4, name: "redis://h:6379/4"}},
		{testkit.Here(), "redis://127.0.0.1:1", want{hosts: []string{"127.0.0.1:1"}, name: "redis://127.0.0.1:1"}},
		{testkit.Here(), "redis://[::1]", want{hosts: []string{"[::1]:6379"}, name: "redis://[::1]:6379"}},
		{testkit.Here(), "redis://[fe80::1%25eth0]:7/1", want{hosts: []string{"[fe80::1%eth0]:7"}, db: 1, name: "redis://[fe80::1%eth0]:7/1"}},
		{testkit.Here(), "redis://redis_master.svc:65535", want{hosts: []string{"redis_master.svc:65535"}, name: "redis://redis_master.svc:65535"}},
		{testkit.Here(), "redis://user@h", want{hosts: []string{"h:6379"}, user: "user", name: "redis://h:6379"}},
		{testkit.Here(), "redis://:s3cret@h", want{hosts: []string{"h:6379"}, password: "s3cret", name: "redis://h:6379"}},
		{testkit.Here(), "redis://user:s3cret@h:1/2", want{hosts: []string{"h:1"}, db: 2, user: "user", password: "s3cret", name: "redis://h:1/2"}},
		{testkit.Here(), "redis://user:s3cret%2F%3F%23%40%25%3A@h", want{hosts: []string{"h:6379"}, user: "user", password: "s3cret/?#@%:", name: "redis://h:6379"}},
		{testkit.Here(), "redis://user:s3cret:+&=@h", want{hosts: []string{"h:6379"}, user: "user", password: "s3cret:+&=", name: "redis://h:6379"}},
		{testkit.Here(), "redis://user:s3c@s3cret@h", want{hosts: []string{"h:6379"}, user: "user", password: "s3c@s3cret", name: "redis://h:6379"}},
		{testkit.Here(), "redis://h?password=s3cret%26", want{hosts: []string{"h:6379"}, password: "s3cret&", name: "redis://h:6379"}},
		{testkit.Here(), "redis://h?username=u&password=s3cret&db=1", want{hosts: []string{"h:6379"}, db: 1, user: "u", password: "s3cret", name: "redis://h:6379/1"}},

		{testkit.Here(), "rediss://h", want{hosts: []string{"h:6379"}, tls: true, name: "rediss://h:6379"}},
		{testkit.Here(), "rediss://u:s3cret@h:6380/1", want{hosts: []string{"h:6380"}, db: 1, user: "u", password: "s3cret", tls: true, name: "rediss://h:6380/1"}},

		{testkit.Here(), "unix:///run/redis.sock", want{hosts: []string{"/run/redis.sock"}, network: "unix", name: "unix:///run/redis.sock"}},
		{testkit.Here(), "unix:///run/redis@1%20a.sock?db=2", want{hosts: []string{"/run/redis@1 a.sock"}, db: 2, network: "unix", name: "unix:///run/redis@1 a.sock?db=2"}},
		{testkit.Here(), "unix://u:s3cret@/run/redis.sock", want{hosts: []string{"/run/redis.sock"}, user: "u", password: "s3cret", network: "unix", name: "unix:///run/redis.sock"}},
		{testkit.Here(), "unix:///run/redis.sock?password=s3cret", want{hosts: []string{"/run/redis.sock"}, password: "s3cret", network: "unix", name: "unix:///run/redis.sock"}},

		{testkit.Here(), "redis+sentinel://h/mymaster", want{hosts: []string{"h:26379"}, master: "mymaster", name: "redis+sentinel://h:26379/mymaster"}},
		{testkit.Here(), "redis+sentinel://a:1,b,[::1]:3,[::1]/mymaster/2", want{
			hosts: []string{"a:1", "b:26379", "[::1]:3", "[::1]:26379"}, db: 2, master: "mymaster", name: "redis+sentinel://a:1,b:26379,[::1]:3,[::1]:26379/mymaster/2",
		}},
		{testkit.Here(), "redis+cluster://u:s3cret@a:1,b", want{
			hosts: []string{"a:1", "b:6379"}, user: "u", password: "s3cret", name: "redis+cluster://a:1,b:6379 (partition 0, slot 247)",
		}},
		{testkit.Here(), "redis+cluster://", want{hosts: []string{"localhost:6379"}, name: "redis+cluster://localhost:6379 (partition 0, slot 247)"}},
		{testkit.Here(), "redis+sentinel://u:s3cret@a,b/m?db=1", want{
			hosts: []string{"a:26379", "b:26379"}, db: 1, user: "u", password: "s3cret", master: "m", name: "redis+sentinel://a:26379,b:26379/m/1",
		}},
		{testkit.Here(), "redis+sentinel://u:s3cret@a/m?sentinel_username=su&sentinel_password=s3cret2", want{
			hosts: []string{"a:26379"}, user: "u", password: "s3cret", master: "m", sentinelUser: "su", sentinelPassword: "s3cret2", name: "redis+sentinel://a:26379/m",
		}},
		{testkit.Here(), "redis+sentinel://a/m?sentinel_password=s3cret", want{
			hosts: []string{"a:26379"}, master: "m", sentinelPassword: "s3cret", name: "redis+sentinel://a:26379/m",
		}},
		{testkit.Here(), "rediss+sentinel://a/m", want{hosts: []string{"a:26379"}, tls: true, master: "m", name: "rediss+sentinel://a:26379/m"}},
	} {
		o := Options{URLs: []string{row.url}}
		s, err := o.check()
		if err != nil {
			t.Errorf("%s: %v", row.at, err)
			continue
		}
		target := s.targets[0]
		c := target.option
		got := want{
			hosts: c.InitAddress, db: c.SelectDB, user: c.Username, password: c.Password, tls: c.TLSConfig != nil, master: c.Sentinel.MasterSet,
			sentinelUser: c.Sentinel.Username, sentinelPassword: c.Sentinel.Password, name: target.name,
		}
		if c.DialCtxFn != nil {
			got.network = "unix"
		}
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s:\n%+v, want\n%+v", row.at, got, row.want)
		}
		if c.Sentinel.MasterSet != "" && c.Sentinel.TLSConfig != c.TLSConfig {
			t.Errorf("%s: TLS with Sentinels is not that with servers", row.at)
		}
		noSecret(t, row.at, target.name)
		noSecret(t, row.at, fmt.Sprintf("%v %+v %#v %s %q %d", o, o, &o, New(o), New(o), New(o)))
	}
}

func TestURLsFail(t *testing.T) {
	t.Parallel()
	const characters = "it cannot be understood; write the characters / ? # @ % of a user or password as"
	for _, row := range []struct {
		at   testkit.Line
		url  string
		want []string
	}{
		{testkit.Here(), "", []string{"its scheme is unknown; write redis://HOST:PORT"}},
		{testkit.Here(), "localhost:6379", []string{"its scheme is unknown"}},
		{testkit.Here(), "u:s3cret@localhost:6379", []string{"its scheme is unknown"}},
		{testkit.Here(), "http://u:s3cret@h", []string{"its scheme is unknown"}},
		{testkit.Here(), "s3cret://h", []string{"its scheme is unknown"}},
		{testkit.Here(), "valkey://h", []string{"its scheme is unknown"}},
		{testkit.Here(), "redis-sentinel://h/m", []string{"its scheme is unknown"}},
		{testkit.Here(), "redis:/h", []string{"its scheme is unknown"}},
		{testkit.Here(), "redis://:s3/cret@h", []string{characters}},
		{testkit.Here(), "redis://:s3cret/@h", []string{characters}},
		{testkit.Here(), "redis://:s3cret?x@h", []string{characters}},
		{testkit.Here(), "redis://:s3cret#x@h", []string{characters}},
		{testkit.Here(), "redis://:s3cret%@h", []string{"a % in it is not followed by two hexadecimal digits; write the character % as %25"}},
		{testkit.Here(), "redis://:s3cret%zz@h", []string{"a % in it is not followed"}},
		{testkit.Here(), "redis://h?password=s3cret%zz", []string{"what follows the ? cannot be understood"}},
		{testkit.Here(), "redis://h?a;b", []string{"what follows the ? cannot be understood"}},
		{testkit.Here(), "redis://h?password=a&s3cret", []string{"a parameter is unknown; the parameters are db, username, password. If it is a part of the password, write & as %26"}},
		{testkit.Here(), "redis://h?timeout=1", []string{`the parameter "timeout" is unknown; the parameters are db, username, password`}},
		{testkit.Here(), "redis://h?Db=1", []string{`the parameter "Db" is unknown`}},
		{testkit.Here(), "redis://h?sentinel_password=s3cret", []string{"a parameter is unknown"}},
		{testkit.Here(), "rediss://h?ssl_cert_reqs=none", []string{`the parameter "ssl_cert_reqs" is not supported; set Options.TLS instead`}},
		{testkit.Here(), "redis://h?db=1&db=1", []string{"the parameter db occurs 2 times; write it once"}},
		{testkit.Here(), "redis://h?db=-1", []string{"the database is not a number from 0 on"}},
		{testkit.Here(), "redis://h/x", []string{"the database is not a number from 0 on"}},
		{testkit.Here(), "redis://h/1/2", []string{"the database is not a number from 0 on"}},
		{testkit.Here(), "redis://h/99999999999", []string{"the database is not a number from 0 on"}},
		{testkit.Here(), "redis://h/1?db=2", []string{"the path and the parameter db name different databases; remove one of them"}},
		{testkit.Here(), "redis://h:0", []string{"a port is not a number from 1 to 65535"}},
		{testkit.Here(), "redis://h:65536", []string{"a port is not a number from 1 to 65535"}},
		{testkit.Here(), "redis://h:x", []string{"a port is not a number"}},
		{testkit.Here(), "redis://h:", []string{"a port is not a number"}},
		{testkit.Here(), "redis://::1", []string{"a host cannot be understood; write HOST:PORT, or [HOST]:PORT for an address of IPv6"}},
		{testkit.Here(), "redis://a b", []string{"a host name has a character that no host name has"}},
		{testkit.Here(), "redis://a,b", []string{"it names several hosts; write one URL for each server"}},
		{testkit.Here(), "redis://u:s3cret@h?username=x", []string{"a user or password is before the @ and in the parameters; remove one of them"}},
		{testkit.Here(), "unix://run/redis.sock", []string{"it has no absolute path; write unix:///PATH, with three slashes"}},
		{testkit.Here(), "unix://", []string{"it has no absolute path"}},
		{testkit.Here(), "unix:///", []string{"it has no absolute path"}},
		{testkit.Here(), "unix:///s?db=x", []string{"the database is not a number"}},
		{testkit.Here(), "redis+cluster://a,,b", []string{"the host of a node is empty"}},
		{testkit.Here(), "redis+cluster://a/1", []string{"it names the database 1, and a cluster has only the database 0"}},
		{testkit.Here(), "redis+sentinel://h", []string{"it does not name the master; write redis+sentinel://HOST:PORT/MASTER"}},
		{testkit.Here(), "redis+sentinel:///m", []string{"the host of a Sentinel is empty"}},
		{testkit.Here(), "redis+sentinel://a,,b/m", []string{"the host of a Sentinel is empty"}},
		{testkit.Here(), "redis+sentinel://a,a:26379/m", []string{"it names the host a:26379 twice; remove one"}},
		{testkit.Here(), "redis+sentinel://a/m/x", []string{"the database is not a number"}},
		{testkit.Here(), "redis+sentinel://a:x/", []string{"a port is not a number", "it does not name the master"}},
		{testkit.Here(), "redis://u:s3cret@h:0/x?y=1", []string{`the parameter "y" is unknown`, "a port is not", "the database is not"}},
	} {
		o := Options{URLs: []string{"redis://first", row.url}}
		_, err := o.check()
		if err == nil {
			t.Errorf("%s: no error", row.at)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), "wye: redis: Options.URLs[1]: "+want) {
				t.Errorf("%s: %v; want %q", row.at, err, want)
			}
		}
		noSecret(t, row.at, err.Error())
		noSecret(t, row.at, fmt.Sprintf("%v %+v %#v %s", o, o, &o, New(o)))
	}
}

func TestOptionsFail(t *testing.T) {
	t.Parallel()
	ask := func(context.Context) (user, password string, err error) { return "", "", nil }
	for _, row := range []struct {
		at      testkit.Line
		options Options
		want    []string
	}{
		{testkit.Here(), Options{Prefix: "a b"}, []string{`Options.Prefix is "a b"; write it without spaces`}},
		{testkit.Here(), Options{Prefix: "a\n"}, []string{`Options.Prefix is "a\n"`}},
		{testkit.Here(), Options{Prefix: "\xff"}, []string{`Options.Prefix is "\xff"`}},
		{testkit.Here(), Options{Serializer: "pickle"}, []string{`the serializer "pickle" does not exist; use "msgpack" or "json"`}},
		{testkit.Here(), Options{EncryptionKeys: []string{"s3cret", ""}}, []string{"encryption key 2 of 2 is empty"}},
		{testkit.Here(), Options{RandomPrefixLength: -2}, []string{"Options.RandomPrefixLength is -2; use 1 to 255, 0 for the default of 12, or -1 for none"}},
		{testkit.Here(), Options{Backend: 7}, []string{"Options.Backend is 7; use redis.PubSub or redis.Core"}},
		{testkit.Here(), Options{GroupExpiry: time.Hour}, []string{"Options.GroupExpiry is set, and Options.Backend is not redis.Core"}},
		{testkit.Here(), Options{Backend: Core, GroupExpiry: time.Second}, []string{"Options.GroupExpiry is 1s; use at least 1m0s"}},
		{testkit.Here(), Options{Backend: Core, GroupExpiry: -1}, []string{"Options.GroupExpiry is -1ns"}},
		{testkit.Here(), Options{RandomPrefixLength: 256}, []string{"Options.RandomPrefixLength is 256"}},
		{testkit.Here(), Options{Channels: []ChannelLimit{{}}}, []string{`Options.Channels[0].Pattern is ""; write a pattern of path.Match`}},
		{testkit.Here(), Options{Channels: []ChannelLimit{{Pattern: "["}}}, []string{`Options.Channels[0].Pattern is "["`}},
		{testkit.Here(), Options{Channels: []ChannelLimit{{Pattern: "a", Capacity: -1}}}, []string{`Options.Channels[0] of "a" has a Capacity of -1`}},
		{testkit.Here(), Options{Channels: []ChannelLimit{{Pattern: "a", Expiry: -1}}}, []string{"an Expiry of -1ns; none may be negative"}},
		{testkit.Here(), Options{Channels: []ChannelLimit{{Pattern: "a"}, {Pattern: "b"}, {Pattern: "a"}}}, []string{`Options.Channels[2] has the Pattern "a" of Channels[0], which holds; remove one`}},
		{testkit.Here(), Options{URLs: []string{"redis://h", "redis://h:6379"}}, []string{"Options.URLs[1] (redis://h:6379) names a server that URLs[0] names too; remove one"}},
		{testkit.Here(), Options{URLs: []string{"redis://h/1", "redis://g", "redis://h/2"}}, []string{"Options.URLs[2] (redis://h:6379/2) names a server that URLs[0] names too"}},
		{testkit.Here(), Options{URLs: []string{"unix:///s", "unix:///s"}}, []string{"Options.URLs[1] (unix:///s) names a server that"}},
		{testkit.Here(), Options{URLs: []string{"redis+cluster://a", "redis://b"}}, []string{"Options.URLs[0] (redis+cluster://a:6379) names a cluster, and"}},
		{testkit.Here(), Options{Sharded: true, Partitions: 3}, []string{"Options.Sharded is set, and no URL names", "Options.Partitions is set, and no URL"}},
		{
			testkit.Here(), Options{URLs: []string{"redis+cluster://a"}, Backend: Core, Partitions: 1025, Prefix: "{a}"},
			[]string{"Options.Backend is redis.Core, which does", "Options.Partitions is 1025; use 1 to 1024", `Options.Prefix is "{a}"; write it without {`},
		},
		{testkit.Here(), Options{URLs: []string{"redis+sentinel://a,b/m", "redis+sentinel://c,b/m"}}, []string{"Options.URLs[1] (redis+sentinel://c:26379,b:26379/m) names a server that"}},
		{testkit.Here(), Options{TLS: &tls.Config{}}, []string{"Options.TLS is set, and no URL uses TLS; write rediss://"}},
		{testkit.Here(), Options{SentinelCredentials: ask}, []string{"Options.SentinelCredentials is set, and no URL names Sentinels"}},
		{testkit.Here(), Options{Credentials: ask, URLs: []string{"redis://:s3cret@h"}}, []string{"Options.URLs[0] (redis://h:6379) has a user or password, and Options.Credentials is set; remove one"}},
		{testkit.Here(), Options{SentinelCredentials: ask, URLs: []string{"redis+sentinel://h/m?sentinel_password=s3cret"}}, []string{"Options.URLs[0] (redis+sentinel://h:26379/m) has a user or password of Sentinels, and"}},
		{
			testkit.Here(),
			Options{URLs: []string{"redis://h:0", "x"}, Prefix: " ", Serializer: "x", RandomPrefixLength: -5, Channels: []ChannelLimit{{Pattern: "a", Capacity: -1}}},
			[]string{"URLs[0]", "URLs[1]", "Prefix", "serializer", "RandomPrefixLength", "Channels[0]"},
		},
	} {
		_, err := row.options.check()
		if err == nil {
			t.Errorf("%s: no error", row.at)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", row.at, err, want)
			}
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "wye: redis: Options.") {
				t.Errorf("%s: the line %q does not name the option", row.at, line)
			}
		}
		noSecret(t, row.at, err.Error())
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, err := new(Options).check()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintln(s.targets[0].option.InitAddress, s.Prefix, s.Serializer, s.RandomPrefixLength, s.limit("x")); got != "[localhost:6379] asgi msgpack 12 { 100 1m0s}\n" {
		t.Errorf("the defaults are %s", got)
	}
	o := Options{RandomPrefixLength: -1, Channels: []ChannelLimit{{Pattern: "mail.*", Capacity: 5}, {Pattern: "m*", Expiry: time.Hour}}}
	if s, err = o.check(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		at      testkit.Line
		channel string
		want    ChannelLimit
	}{
		{testkit.Here(), "mail.x", ChannelLimit{Pattern: "mail.*", Capacity: 5, Expiry: time.Minute}},
		{testkit.Here(), "mail", ChannelLimit{Pattern: "m*", Capacity: 100, Expiry: time.Hour}},
		{testkit.Here(), "x", ChannelLimit{Capacity: 100, Expiry: time.Minute}},
	} {
		if got := s.limit(row.channel); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.at, got, row.want)
		}
	}
	if s.RandomPrefixLength != 0 {
		t.Errorf("-1 became %d", s.RandomPrefixLength)
	}
}

// TestOptionsAreNotChanged: a driver does not change what the program has passed.
func TestOptionsAreNotChanged(t *testing.T) {
	t.Parallel()
	config := &tls.Config{ServerName: "x", MinVersion: tls.VersionTLS13}
	o := Options{TLS: config, URLs: []string{"rediss://h"}, Channels: []ChannelLimit{{Pattern: "a"}}}
	s, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	got := s.targets[0].option.TLSConfig
	if got == config || got.ServerName != "x" || got.MinVersion != tls.VersionTLS13 {
		t.Errorf("the copy of Options.TLS is %+v", got)
	}
	if !slices.Equal(o.Channels, []ChannelLimit{{Pattern: "a"}}) || o.Prefix != "" {
		t.Errorf("the options have become %v", o)
	}
}

// TestSecretsAreNotWritten: neither fmt nor log/slog writes passwords or keys.
func TestSecretsAreNotWritten(t *testing.T) {
	t.Parallel()
	o := Options{
		URLs: []string{"redis://u:s3cret@h/1", "s3cret", "redis+sentinel://a/m?sentinel_password=s3cret"}, Serializer: "json",
		EncryptionKeys: []string{"s3cret", "s3cret2"}, Credentials: func(context.Context) (user, password string, err error) { return "s3cret", "s3cret", nil },
	}
	var b bytes.Buffer
	for _, v := range []any{o, &o, New(o), []any{o}, map[string]any{"o": &o}, struct{ O Options }{o}} {
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d\n", v, v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		if encoded, err := json.Marshal(v); err == nil {
			b.Write(encoded)
		}
	}
	noSecret(t, testkit.Here(), b.String())
	for _, want := range []string{"redis://h:6379/1", "(a URL that cannot be used)", "EncryptionKeys: 2", "Credentials: true"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in %s", want, &b)
		}
	}
}

// TestCredentialsOf: servers and Sentinels are told apart by their connections.
func TestCredentialsOf(t *testing.T) {
	t.Parallel()
	o := Options{
		URLs: []string{"redis+sentinel://h/m?sentinel_username=watcher&sentinel_password=p"},
		Credentials: func(context.Context) (user, password string, err error) {
			return "user", secret, errors.New("no vault")
		},
	}
	s, err := o.check()
	if err != nil {
		t.Fatal(err)
	}
	ask := s.targets[0].option.AuthCredentialsFn
	c, err := ask(rueidis.AuthCredentialsContext{Address: sentinelAddr{}})
	if err != nil || c.Username != "watcher" || c.Password != "p" {
		t.Errorf("of a Sentinel: %v (%v)", c.Username, err)
	}
	_, err = ask(rueidis.AuthCredentialsContext{})
	if err == nil || !strings.Contains(err.Error(), "Options.Credentials has returned an error: no vault") {
		t.Errorf("of a server: %v", err)
	}
	noSecret(t, testkit.Here(), err.Error())
}
