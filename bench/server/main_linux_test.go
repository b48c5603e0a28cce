package main

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// django sends to the room "x" as a view does.
const django = `
import sys
from asgiref.sync import async_to_sync
from channels_redis import core, pubsub
layer = {"pubsub": pubsub.RedisPubSubChannelLayer, "core": core.RedisChannelLayer}[sys.argv[2]](hosts=[sys.argv[1]])
async def send():
    await layer.group_send("x", {"type": "websocket.send", "text": "grüß"})
    await layer.group_send("x", {"type": "websocket.send", "bytes": b"\x00\xff"})
async_to_sync(send)()
`

// TestDjangoReachesRooms has Django's layer send to a room that is at two servers.
func TestDjangoReachesRooms(t *testing.T) {
	t.Parallel()
	for backend, scheme := range map[string]string{"pubsub": "redis", "core": "redis+core"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			djangoReachesRooms(t, backend, scheme)
		})
	}
}

func djangoReachesRooms(t *testing.T, backend, scheme string) {
	t.Helper()
	redis := redistest.New(t, redistest.Options{})
	var addr string // of the last server
	var members []net.Conn
	for range 2 {
		addr = start(t, scheme+strings.TrimPrefix(redis.URL(), "redis"))
		members = append(members, enter(t, addr))
	}
	send := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", django, redis.URL(), backend)
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n(it needs: apt-get install -y python3-channels-redis)", err, out)
	}
	for i, m := range members {
		for _, want := range []wsutil.Message{{OpCode: ws.OpText, Payload: []byte("grüß")}, {OpCode: ws.OpBinary, Payload: []byte("\x00\xff")}} {
			got, op, err := wsutil.ReadServerData(m)
			if err != nil || op != want.OpCode || !bytes.Equal(got, want.Payload) {
				t.Errorf("member %d: got %v %q (%v), want %v %q", i, op, got, err, want.OpCode, want.Payload)
			}
		}
	}
	speaker := dial(t, addr, "/room/x")
	if err := wsutil.WriteClientText(speaker, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		if got, _, err := wsutil.ReadServerData(m); err != nil || string(got) != "hi" {
			t.Errorf("member %d: got %q (%v), want what the speaker has sent", i, got, err)
		}
	}
}

// start runs a server until the test ends, and returns its address.
func start(t *testing.T, layer string) string {
	t.Helper()
	addr, err := child.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, flags{addr: addr, layer: layer}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	await(t, addr)
	return addr
}

// await waits until a server accepts.
func await(t *testing.T, addr string) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}

func dial(t *testing.T, addr, path string) net.Conn {
	t.Helper()
	c, _, _, err := ws.Dial(t.Context(), "ws://"+addr+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// enter opens a connection of a member of the room, and returns when it has joined.
func enter(t *testing.T, addr string) net.Conn {
	t.Helper()
	c := dial(t, addr, "/member/x")
	if err := wsutil.WriteClientText(c, []byte("joined?")); err != nil {
		t.Fatal(err)
	}
	if got, _, err := wsutil.ReadServerData(c); err != nil || string(got) != "joined?" {
		t.Fatalf("got %q (%v), want the echo", got, err)
	}
	return c
}

func TestUnknownLayer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at  testkit.Line
		url string
	}{
		{testkit.Here(), "redis+x://127.0.0.1:6379"},
		{testkit.Here(), "127.0.0.1:6379"},
		{testkit.Here(), "nats://127.0.0.1"},
	} {
		if err := run(t.Context(), flags{addr: "127.0.0.1:0", layer: row.url}); err == nil || !strings.Contains(err.Error(), "scheme") {
			t.Errorf("%s: got %v, want an error about the scheme", row.at, err)
		}
	}
}
