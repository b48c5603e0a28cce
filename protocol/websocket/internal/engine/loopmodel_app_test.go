package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// newMember makes a connection and opens it.
func (m *loopModel) newMember() *modelMember {
	m.mu.Lock()
	random := rand.New(rand.NewPCG(m.seed, 100+uint64(len(m.mu.members))))
	x := &modelMember{m: m, id: len(m.mu.members), random: random, writing: make(chan struct{}, 1), done: make(chan struct{})}
	x.polite = random.IntN(2) == 0
	x.ordered = true
	sizes := []int{1 << 10, 5 << 10, 64 << 10, 1 << 20}
	x.socket = m.net.newSocket(sizes[random.IntN(4)], sizes[random.IntN(4)]/2)
	x.out.next = map[int]int{}
	l := m.e.Limits
	if !x.polite {
		switch random.IntN(6) {
		case 0:
			l.QueueBytes, l.Overflow, x.ordered = 3000, protocol.OverflowDropOldest, false
		case 1:
			l.QueueBytes, l.Overflow, x.ordered = 3000, protocol.OverflowBlock, false
		case 2:
			l.QueueBytes, x.ordered = 3000, false
		}
	}
	blocking := protocol.BlockingNo // nothing is learned, so that the loop is taken over often
	if random.IntN(2) == 0 {
		blocking = protocol.Blocking(random.IntN(5))
	}
	m.mu.Unlock()
	x.allow(protocol.CloseTryAgainLater)
	if x.polite {
		x.codes.Clear()
	}
	h := &fakes.Handler{OnReceive: x.receive, OnEvent: x.event, OnDisconnect: x.disconnect}
	outcome := connects
	if !x.polite {
		outcome = random.IntN(20)
	}
	slowConnect, early := random.IntN(4) == 0, random.IntN(8) == 0
	h.OnConnect = func(ctx context.Context, c *protocol.Conn) error {
		leave := x.enter("Connect")
		defer leave()
		if blocking <= protocol.BlockingNo {
			c.SetBlocking(blocking)
		}
		if err := c.Limit(l); err != nil {
			return err
		}
		if early {
			x.send(ctx, c, 3000)
		}
		if slowConnect {
			_ = c.Accept(nil)
			x.accepted.Store(true)
			<-time.After(time.Duration(m.n(30)) * time.Millisecond)
		}
		if outcome >= connects {
			x.accepted.Store(true)
		}
		return x.endConnect(outcome)
	}
	x.c = m.e.NewConn(&Opening{Handshake: handover{&fakeConn{socket: x.socket}}}, "")
	s := m.e.session(h, x.c)
	x.conn = s.Conn()
	m.mu.Lock()
	m.mu.members = append(m.mu.members, x)
	m.mu.Unlock()
	go func() {
		defer x.refuse() // unless it was accepted
		x.c.Open(s)
	}()
	return x
}

// What Connect may do at its end.
const (
	refuses = iota
	panics
	exits
	closesFirst
	connects // or any larger number
)

// endConnect is the end of Connect.
func (x *modelMember) endConnect(outcome int) error {
	switch outcome {
	case refuses:
		x.allow(protocol.CloseInternalError) // if it was accepted before
		return errors.New("refused")
	case panics:
		x.allow(protocol.CloseInternalError)
		panic("of the model's Connect")
	case exits:
		x.allow(protocol.CloseInternalError)
		runtime.Goexit()
	case closesFirst:
		x.allow(4003)
		x.accepted.Store(true)
		return protocol.NewCloseError(4003, "").AcceptFirst()
	}
	return nil
}

// refuse ends a connection that was not accepted, as the handshake would.
func (x *modelMember) refuse() {
	if !x.accepted.Load() {
		x.socket.end(func() { x.socket.closed = true })
	}
}

// enter begins a callback. The result ends it.
func (x *modelMember) enter(what string) (leave func()) {
	if n := x.callbacks.Add(1); n != 1 {
		x.m.net.faultf("member %d: %s overlaps another callback", x.id, what)
	}
	if x.gone.Load() > 0 {
		x.m.net.faultf("member %d: %s after Disconnect", x.id, what)
	}
	return func() { x.callbacks.Add(-1) }
}

func modelText(to int, kind string, from, n, size int) string {
	return fmt.Sprintf("%d %s %d %d|%s", to, kind, from, n, strings.Repeat(string(rune('a'+(from+n)%26)), size))
}

// readText reads what modelText has written, and checks that it is whole.
func readText(s string) (to int, kind string, from, n int, err error) {
	head, pad, _ := strings.Cut(s, "|")
	if _, err = fmt.Sscanf(head, "%d %s %d %d", &to, &kind, &from, &n); err == nil && strings.Trim(pad, string(rune('a'+(from+n)%26))) != "" {
		err = errors.New("its bytes are not those that were sent")
	}
	return to, kind, from, n, err
}

// send sends the next echo. Only callbacks call it.
func (x *modelMember) send(ctx context.Context, c *protocol.Conn, size int) {
	if err := c.Send(ctx, protocol.Text(modelText(x.id, "e", x.id, x.echoes, size))); err == nil {
		x.echoes++
	}
}

// block waits like a callback that waits for something.
func (x *modelMember) block(ctx context.Context) {
	x.slow.Add(1)
	defer x.slow.Add(-1)
	if x.m.n(3) == 0 {
		plumbing.WillWait(ctx)
	}
	if x.m.n(2) == 0 {
		<-time.After(time.Duration(1+x.m.n(8)) * time.Millisecond / 2)
		return
	}
	released := make(chan struct{})
	x.m.mu.Lock()
	x.m.mu.blocked = append(x.m.mu.blocked, released)
	x.m.mu.Unlock()
	select {
	case <-released:
	case <-time.After(300 * time.Millisecond):
	}
}

var modelEvent = protocol.EventType[modelLine]{Name: "model"}

type modelLine struct{ From, N int }

func (x *modelMember) receive(ctx context.Context, c *protocol.Conn, msg protocol.Message) error {
	leave := x.enter("Receive")
	defer leave()
	to, kind, from, n, err := readText(string(msg.Data))
	if err != nil || to != x.id || from != x.id || int64(n) != x.handled.Load() {
		x.m.net.faultf("member %d: message %d: received %d %s %d %d: %v", x.id, x.handled.Load(), to, kind, from, n, err)
	}
	x.handled.Add(1)
	size := []int{0, 20, 200, 3000, 20000}[x.m.n(5)]
	if x.answer(ctx, c, kind, size) {
		if _, _, _, again, err := readText(string(msg.Data)); err != nil || again != n {
			x.m.net.faultf("member %d: a message has changed during its callback", x.id)
		}
		return nil
	}
	return x.end(ctx, c, kind)
}

// answer does what a message asks for, if that does not end the connection.
func (x *modelMember) answer(ctx context.Context, c *protocol.Conn, kind string, size int) bool {
	switch kind {
	case "echo":
		x.send(ctx, c, size)
	case "many":
		for range 5 {
			x.send(ctx, c, size)
		}
	case "blockecho":
		if x.m.n(2) == 0 {
			x.send(ctx, c, size)
		}
		x.block(ctx)
		x.send(ctx, c, size)
	case "bcast":
		for _, y := range x.m.all() {
			y.offer(x.id, size)
		}
	case "post":
		all := x.m.all()
		all[x.m.n(len(all))].post(x.id)
	case "postmany":
		for range 100 {
			x.post(x.id)
		}
	case "huge":
		x.send(ctx, c, 300<<10)
		x.send(ctx, c, 200<<10)
	case "key":
		x.keyed++
		m := protocol.Text(modelText(x.id, "k", x.id, x.keyed, size))
		m.Key = "key"
		_ = c.Send(ctx, m)
	case "go":
		_ = c.Go(func(ctx context.Context) error {
			<-time.After(time.Duration(x.m.n(8)) * time.Millisecond / 2)
			return c.Send(ctx, protocol.Text(modelText(x.id, "g", x.id, 0, size)))
		})
	default:
		return false
	}
	return true
}

// end ends the connection, if a message asks for that.
func (x *modelMember) end(ctx context.Context, c *protocol.Conn, kind string) error {
	switch kind {
	case "panic":
		x.allow(protocol.CloseInternalError)
		panic("of the model")
	case "goexit":
		x.allow(protocol.CloseInternalError)
		if x.m.n(2) == 0 {
			x.block(ctx)
		}
		runtime.Goexit()
	case "error":
		x.allow(4000)
		return protocol.NewCloseError(4000, "")
	case "close":
		x.allow(4001)
		go func() { c.Close(4001, "") }()
	case "closehere":
		x.allow(4002)
		c.Close(4002, "")
		if x.m.n(2) == 0 {
			x.block(ctx)
		}
	}
	return nil
}

// offer sends to x what a group send of another member would.
func (x *modelMember) offer(from, size int) {
	if x.conn == nil || x.c.life.phase() < phaseReading {
		return
	}
	x.out.Lock()
	defer x.out.Unlock()
	n := x.out.next[from]
	if x.conn.Offer(protocol.Prepare(protocol.Text(modelText(x.id, "b", from, n, size)))) == nil {
		x.out.next[from]++
	}
}

func (x *modelMember) post(from int) {
	if x.conn == nil || x.c.life.phase() < phaseReading {
		return
	}
	if x.conn.Post(modelEvent.New(modelLine{from, 0})) == nil {
		x.posted.Add(1)
	}
}

func (x *modelMember) event(ctx context.Context, c *protocol.Conn, _ *protocol.Event) error {
	leave := x.enter("Event")
	defer leave()
	x.events.Add(1)
	if x.m.n(20) == 0 {
		x.block(ctx)
	}
	x.send(ctx, c, 10)
	return nil
}

func (x *modelMember) disconnect(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
	leave := x.enter("Disconnect")
	x.gone.Add(1)
	if x.m.n(6) == 0 {
		<-time.After(3 * time.Millisecond)
	}
	leave()
	_, ok := x.codes.Load(s.Code)
	x.m.net.mu.Lock()
	defer x.m.net.mu.Unlock()
	idle := time.Since(x.socket.moved)
	switch {
	case errors.Is(s.Err, errNoRead) && idle < x.c.engine.WriteTimeout-50*time.Millisecond:
		x.m.net.faultLockedf("member %d: cut because it has read nothing, but it has %v ago", x.id, idle)
	case !ok && (s.Code != protocol.CloseAbnormal || !x.m.cuts.Load()):
		x.m.net.faultLockedf("member %d: disconnected with %+v", x.id, s)
	}
}
