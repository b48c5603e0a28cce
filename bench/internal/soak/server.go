package soak

import (
	"context"
	"encoding/gob"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// The server answers with its Report and with a profile of its heap here.
const (
	reportPath  = "/report"
	profilePath = "/heap"
)

// Report is what the server knows about itself.
type Report struct {
	Goroutines  int
	Descriptors int    // open files, sockets and pipes
	Heap        uint64 // bytes in use after a garbage collection
	RSS         int64  // bytes of the process in memory
	Connects    int64  // calls of Connect that returned nil
	Disconnects map[protocol.CloseCode]int64
	AfterEnd    int64 // callbacks that ran although their consumer had ended its connection
	Open        int64 // connections
	Accepted    int64 // connections, ever
}

// Disconnected is the sum of Disconnects.
func (r *Report) Disconnected() (n int64) {
	for _, of := range r.Disconnects {
		n += of
	}
	return n
}

// Serve runs a server for each endpoint, with one application for all of them, until ctx
// ends. The first one also answers with reports.
func Serve(ctx context.Context, endpoints []Endpoint) error {
	// Panics and failures are part of the load; their lines would only fill a buffer.
	quiet := slog.New(slog.DiscardHandler)
	books := &books{codes: map[protocol.CloseCode]int64{}}
	app := application(books)
	for _, at := range endpoints {
		books.servers = append(books.servers, websocket.New(app, &websocket.Options{Logger: quiet, Engine: at.Engine}))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+reportPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = gob.NewEncoder(w).Encode(books.report()) //nolint:errcheck // the runner notices
	})
	mux.HandleFunc("GET "+profilePath, func(w http.ResponseWriter, _ *http.Request) {
		_ = pprof.WriteHeapProfile(w) //nolint:errcheck // likewise
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(endpoints))
	for i, at := range endpoints {
		srv := &http.Server{Addr: at.Addr, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelError)}
		go func() {
			defer cancel()
			ended <- router.Run(ctx, srv, router.New(mux, books.servers[i]), 10*time.Second)
		}()
	}
	errs := make([]error, 0, len(endpoints))
	for range endpoints {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// books is what the consumers of the server count.
type books struct {
	servers []*websocket.Server

	connects, afterEnd atomic.Int64

	mu    sync.Mutex
	codes map[protocol.CloseCode]int64
}

func (b *books) disconnected(code protocol.CloseCode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.codes[code]++
}

func (b *books) report() Report {
	runtime.GC()         // objects with finalizers, and pools, need two collections
	debug.FreeOSMemory() // collects garbage first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r := Report{
		Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc,
		Connects: b.connects.Load(), AfterEnd: b.afterEnd.Load(), Disconnects: map[protocol.CloseCode]int64{},
	}
	for _, ws := range b.servers {
		stats := ws.Stats()
		r.Open += stats.Open
		r.Accepted += stats.Accepted
	}
	if p, err := load.ReadProcess(os.Getpid()); err == nil {
		r.RSS = p.RSS
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		r.Descriptors = len(open)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(r.Disconnects, b.codes)
	return r
}

// said is what a member of a room says to all of it.
type said struct {
	Text string `json:"text"`
}

var saidEvent = protocol.EventType[said]{Name: "soak.said"}

// application is what the server serves: see the routes.
func application(b *books) protocol.Application {
	route := func(pattern string, receive receiver) router.Route {
		return router.RePath(pattern, consumer.New(func(s *consumer.Scope) *visitor {
			return &visitor{books: b, receive: receive, room: s.Param("room")}
		}, consumer.On(saidEvent, (*visitor).heard)))
	}
	return router.Use(router.NewURLRouter(
		route(`^echo$`, echo),
		route(`^room/(?P<room>\w{1,40})$`, talk),
		route(`^pin$`, guess),
		route(`^panic$`, fall),
		route(`^busy$`, work),
		route(`^block$`, block),
	), layers.Middleware(new(layers.Layer)))
}

type receiver func(ctx context.Context, v *visitor, c *consumer.Conn, m consumer.Message) error

// visitor is the consumer of all routes.
type visitor struct {
	consumer.Base
	*books
	receive receiver
	room    string
	ended   bool // a callback has ended the connection; callbacks do not overlap
}

// Connect joins the room of the path, if there is one.
func (v *visitor) Connect(ctx context.Context, c *consumer.Conn) error {
	if v.room != "" {
		if err := c.Join(ctx, v.room); err != nil {
			return err
		}
	}
	v.connects.Add(1)
	return nil
}

// Receive counts callbacks that must not run, and leaves the rest to the route.
func (v *visitor) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	if v.ended {
		v.afterEnd.Add(1)
	}
	return v.receive(ctx, v, c, m)
}

func (v *visitor) heard(ctx context.Context, c *consumer.Conn, s said) error {
	if v.ended {
		v.afterEnd.Add(1)
	}
	return c.SendText(ctx, s.Text)
}

// Disconnect counts how the connection ended.
func (v *visitor) Disconnect(_ context.Context, _ *consumer.Conn, s consumer.CloseStatus) {
	v.disconnected(s.Code)
}

// workTime is how long a callback takes that does not return at once.
const workTime = 10 * time.Millisecond

func echo(ctx context.Context, _ *visitor, c *consumer.Conn, m consumer.Message) error {
	return c.Send(ctx, m)
}

// talk sends text to the room as an event, and binary as a ready message.
func talk(ctx context.Context, v *visitor, c *consumer.Conn, m consumer.Message) error {
	if m.Kind == protocol.KindBinary {
		return c.Broadcast(ctx, v.room, m)
	}
	return c.GroupSend(ctx, v.room, saidEvent.New(said{m.Text()}))
}

// guess ends the connection at once: whatever comes behind is one guess too many.
// It takes long enough for the peer's close to come before its own.
func guess(_ context.Context, v *visitor, _ *consumer.Conn, _ consumer.Message) error {
	<-time.After(workTime)
	v.ended = true
	return protocol.NewCloseError(4401, "wrong PIN")
}

func fall(_ context.Context, v *visitor, _ *consumer.Conn, _ consumer.Message) error {
	<-time.After(workTime)
	v.ended = true
	panic("soak: a consumer that panics")
}

// work takes a while.
func work(ctx context.Context, _ *visitor, _ *consumer.Conn, _ consumer.Message) error {
	select {
	case <-time.After(workTime):
	case <-ctx.Done():
	}
	return nil
}

// block blocks without a look at ctx, and then echoes.
func block(ctx context.Context, _ *visitor, c *consumer.Conn, m consumer.Message) error {
	time.Sleep(time.Duration(rand.Int64N(int64(2 * workTime)))) //nolint:forbidigo // a callback that blocks is part of the load
	return c.Send(ctx, m)
}
