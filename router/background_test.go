package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// Goodbye is work that a connection sends to a worker when it closes.
var Goodbye = protocol.EventType[map[string]int]{Name: "goodbye"}

// leaver sends a Goodbye when its connection closes.
type leaver struct{ consumer.Base }

func (*leaver) Disconnect(ctx context.Context, c *consumer.Conn, _ consumer.CloseStatus) {
	_ = c.Layer().Send(ctx, "goodbyes", Goodbye.New(map[string]int{"code": 7}))
}

// goodbyes is the consumer of the worker.
type goodbyes struct {
	consumer.Base
	done chan<- int
}

func (g *goodbyes) handle(_ context.Context, _ *consumer.Conn, p map[string]int) error {
	<-time.After(20 * time.Millisecond)
	g.done <- p["code"]
	return nil
}

// TestBackgroundWorkerEndsLast checks that a worker handles what the last connection sends
// in its Disconnect, before Serve returns.
func TestBackgroundWorkerEndsLast(t *testing.T) {
	t.Parallel()
	layer, done := new(layers.Layer), make(chan int, 1)
	urls := router.Use(router.NewURLRouter(router.RePath("^ws/$", consumer.New(func(*consumer.Scope) *leaver { return new(leaver) }))), layers.Middleware(layer))
	s := &site{router: router.New(nil, websocket.New(urls, nil))}
	s.router.Background(&layers.Worker{Puller: layer, App: router.NewChannelNameRouter(map[string]protocol.Application{
		"goodbyes": consumer.New(func(*consumer.Scope) *goodbyes { return &goodbyes{done: done} }, consumer.On(Goodbye, (*goodbyes).handle)),
	})})
	r := serve(t, s, &http.Server{ReadHeaderTimeout: time.Minute}, 10*time.Second)
	c := websockettest.Dial(t, "ws://"+r.addr+"/ws/", nil)
	r.stop()
	c.WantClose(protocol.CloseGoingAway)
	c.Conn.Close()
	if err := testkit.Await(t, r.err, "Serve"); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	select {
	case code := <-done:
		if code != 7 {
			t.Errorf("the worker got %d", code)
		}
	default:
		t.Error("Serve returned before the worker handled what the last connection sent")
	}
}

// taskFunc is a task whose Run is a function.
type taskFunc func(ctx context.Context) error

func (f taskFunc) Run(ctx context.Context) error { return f(ctx) }

func TestBackgroundTasks(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	errBroken := errors.New("the disk is full")
	rows := []struct {
		at    testkit.Line
		tasks []router.Task
		ends  bool   // the server shuts down without being stopped
		want  string // part of the error; "" if there is none
	}{
		{testkit.Here(), nil, false, ""},
		{testkit.Here(), []router.Task{taskFunc(func(context.Context) error { return nil })}, false, ""},
		{testkit.Here(), []router.Task{taskFunc(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })}, false, ""},
		{testkit.Here(), []router.Task{taskFunc(func(ctx context.Context) error { <-ctx.Done(); return errBroken })}, false, "taskFunc: the disk is full"},
		{testkit.Here(), []router.Task{
			taskFunc(func(ctx context.Context) error { <-ctx.Done(); return nil }),
			taskFunc(func(context.Context) error { return errBroken }),
		}, true, "wye: background task router_test.taskFunc: the disk is full"},
		{testkit.Here(), []router.Task{
			taskFunc(func(context.Context) error { <-release; return nil }),
			taskFunc(func(context.Context) error { return nil }),
		}, false, "wye: 1 background tasks have not finished: context deadline exceeded"},
	}
	for _, row := range rows {
		s := &site{router: router.New(nil)}
		s.router.Background(row.tasks...)
		r := serve(t, s, &http.Server{ReadHeaderTimeout: time.Minute}, 50*time.Millisecond)
		if !row.ends {
			r.stop()
		}
		err := testkit.Await(t, r.err, "Serve")
		if fmt.Sprint(err) == "<nil>" && row.want == "" {
			continue
		}
		if row.want == "" || err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: Serve returned %v, want %q", row.at, err, row.want)
		}
	}
}

func TestBackgroundOfNilPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "router.Background: task 2 is nil") {
			t.Errorf("panics with %s", got)
		}
	}()
	router.New(nil).Background(&layers.Worker{}, nil)
}
