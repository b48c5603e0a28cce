package consumer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// hollow is a transport that does nothing and takes no memory.
type hollow struct{}

func (hollow) Accept(protocol.AcceptOptions) error     { return nil }
func (hollow) Reject(*protocol.RejectError)            {}
func (hollow) Close(protocol.CloseStatus)              {}
func (hollow) Send(protocol.Message) error             { return nil }
func (hollow) SendPrepared(p *protocol.Prepared) error { return nil }

// bare is a handler without a consumer.
type bare struct{}

func (bare) Connect(context.Context, *protocol.Conn) error                   { return nil }
func (bare) Receive(context.Context, *protocol.Conn, protocol.Message) error { return nil }
func (bare) Event(context.Context, *protocol.Conn, *protocol.Event) error    { return nil }
func (bare) Disconnect(context.Context, *protocol.Conn, protocol.CloseStatus) {
}

func bareApp() protocol.Application {
	return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return bare{}, nil })
}

// roomless is a consumer without fields and groups.
type roomless struct{ consumer.Base }

// inRoom is a consumer of 16 bytes, in the group room.
type inRoom struct {
	consumer.Base

	room string
}

func (v *inRoom) Connect(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, v.room) }

func roomApp(room func() string) protocol.Application {
	app := consumer.New(func(*consumer.Scope) *inRoom { return &inRoom{room: room()} })
	return layers.Middleware(new(layers.Layer))(app)
}

// idle opens sessions of app and returns what each of them keeps on the heap. If file is not
// "", it writes a heap profile there.
func idle(t *testing.T, app protocol.Application, file string) (bytes, objects float64) {
	t.Helper()
	const sessions = 10_000
	o := &protocol.SessionOptions{Counters: new(protocol.Counters)}
	open := func() *protocol.Session {
		scope := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		s := protocol.NewSession(context.Background(), app, scope, hollow{}, o)
		if !s.Open() {
			t.Fatal("refused")
		}
		return s
	}
	open()
	all := make([]*protocol.Session, sessions)
	before := heap()
	for i := range all {
		all[i] = open()
	}
	after := heap()
	if file != "" {
		writeHeapProfile(t, file)
	}
	runtime.KeepAlive(all)
	return float64(after.HeapAlloc-before.HeapAlloc) / sessions, float64(after.HeapObjects-before.HeapObjects) / sessions
}

func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC() // pools are emptied by two
	runtime.ReadMemStats(&m)
	return m
}

func writeHeapProfile(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err == nil {
		err = pprof.Lookup("heap").WriteTo(f, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryOfAConnection says what consumer and layers keep for an idle connection, above
// what the session keeps. ARCHITECTURE.md has the account. To see where it is allocated:
//
//	WYE_HEAP=/tmp/heap go test ./consumer -run TestMemoryOfAConnection -memprofilerate 1
//	go tool pprof -sample_index inuse_space -lines -top /tmp/heap
func TestMemoryOfAConnection(t *testing.T) {
	skipUnderRace(t)
	if strconv.IntSize != 64 {
		t.Skip("the sizes are those of 64 bits")
	}
	own := 0
	rows := []struct {
		at      testkit.Line
		name    string
		app     protocol.Application
		bytes   float64 // at most
		objects float64
	}{
		{testkit.Here(), "a consumer in no group", consumer.New(func(*consumer.Scope) *roomless { return &roomless{} }), 96, 1},
		{testkit.Here(), "in a group", roomApp(func() string { return "room" }), 96 + 16 + 24, 2},
		{
			testkit.Here(), "in a group of its own, with an own name",
			roomApp(func() string { own++; return "room." + strconv.Itoa(own) }), 96 + 16 + 16 + 170, 5,
		},
	}
	bytes0, objects0 := idle(t, bareApp(), "")
	for i, row := range rows {
		file := ""
		if i == 1 {
			file = os.Getenv("WYE_HEAP")
		}
		bytes, objects := idle(t, row.app, file)
		bytes, objects = bytes-bytes0, objects-objects0
		t.Logf("%s: %.1f bytes in %.2f objects", row.name, bytes, objects)
		if bytes > row.bytes+1 || objects > row.objects+0.1 {
			t.Errorf("%s: %s takes %.1f bytes in %.2f objects, want at most %v in %v",
				row.at, row.name, bytes, objects, row.bytes, row.objects)
		}
	}
}

// TestStackOfALoop has functions need a large stack once, and then wait for a message. The
// runtime halves the stack of a goroutine that waits only if less than a quarter of it is in
// use: of 8 KB, less than 1,248 bytes.
func TestStackOfALoop(t *testing.T) {
	skipUnderRace(t)
	const sessions = 2000
	app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		growStack(5)
		for _, err := range s.Messages(ctx) {
			return err
		}
		return nil
	})
	all := make([]*protocol.Session, sessions)
	o := &protocol.SessionOptions{Counters: new(protocol.Counters)}
	before := heap()
	for i := range all {
		scope := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		all[i] = protocol.NewSession(context.Background(), app, scope, hollow{}, o)
		if !all[i].Open() {
			t.Fatal("refused")
		}
	}
	after := heap()
	stack := (float64(after.StackInuse) - float64(before.StackInuse)) / sessions
	t.Logf("a function that waits has a stack of %.0f bytes", stack)
	if stack > 6<<10 {
		t.Errorf("a function that waits has a stack of %.0f bytes, want 4 KB", stack)
	}
	for _, s := range all {
		s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	}
}

// growStack needs about n KB of stack.
//
//go:noinline
func growStack(n int) (sum byte) {
	var frame [1 << 10]byte
	if n > 0 {
		frame[n] = growStack(n-1) + 1
	}
	for i := range frame {
		sum += frame[i]
	}
	return sum
}
