package websocket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// bystander is a peer that behaves: it reads what comes, and answers pings.
type bystander struct {
	p    *peer
	said chan received
}

func behave(p *peer) *bystander {
	b := &bystander{p: p, said: make(chan received, 10)}
	_ = p.nc.SetDeadline(time.Time{})
	go b.read()
	return b
}

func (b *bystander) read() {
	defer close(b.said)
	for {
		f, err := b.p.read()
		switch {
		case err != nil:
			return
		case f.first == finPing:
			go b.say(frame(finPong, f.payload)) // whoever writes to us may be the one that has to read it
		default:
			b.said <- f
		}
	}
}

func (b *bystander) say(f []byte) { b.p.nc.Write(f) } //nolint:errcheck // the answer shows it

// served fails unless the server answers, and at once if in a bubble.
func (b *bystander) served() {
	b.p.tb.Helper()
	begun := time.Now()
	go b.say(frame(finText, "all is well"))
	select {
	case f, open := <-b.said:
		if !open || f.payload != "all is well" {
			b.p.tb.Errorf("the good peer got %#x %s, open %v", f.first, brief(f.payload), open)
		}
	case <-time.After(patience):
		b.p.tb.Fatal("the good peer is not served")
	}
	if _, pipe := b.p.nc.RemoteAddr().(*net.TCPAddr); !pipe && time.Since(begun) > 0 {
		b.p.tb.Errorf("the good peer had to wait for %v", time.Since(begun))
	}
}

// closes ends the good connection as it should end.
func (b *bystander) closes() {
	b.p.tb.Helper()
	go b.say(closing(1000, ""))
	if f := <-b.said; f.first != finClose {
		b.p.tb.Errorf("the good peer got %#x %s, want a close", f.first, brief(f.payload))
	}
	for range b.said { // until the end of the stream
	}
	b.p.nc.Close()
}

// siege is a server in a bubble, with a good peer, that others attack.
type siege struct {
	*server
	t        *testing.T
	good     *bystander
	opened   chan *protocol.Conn
	ends     <-chan protocol.CloseStatus
	accepted int64
}

// besiege serves app, which must echo what the good peer says.
func besiege(t *testing.T, app *fakes.Handler, o *websocket.Options) *siege {
	t.Helper()
	return besiegeBehind(t, app, app, o, func(h http.Handler) http.Handler { return h })
}

// besiegeBehind is besiege for an application that stands behind another one, and
// a server behind wrap.
func besiegeBehind(t *testing.T, app *fakes.Handler, front protocol.Application, o *websocket.Options, wrap func(http.Handler) http.Handler) *siege {
	t.Helper()
	s := &siege{t: t, opened: make(chan *protocol.Conn, 1000), ends: app.Ends()}
	connect := app.OnConnect
	app.OnConnect = func(ctx context.Context, c *protocol.Conn) error {
		if connect != nil {
			if err := connect(ctx, c); err != nil {
				return err
			}
		}
		s.opened <- c
		return nil
	}
	s.server = newServer(front, o)
	s.listenPipes(t, wrap(s.Server))
	p, _ := s.attacker()
	s.good = behave(p)
	return s
}

// listenPipes serves h, which is s as a rule, over pipes.
func (s *server) listenPipes(tb testing.TB, h http.Handler) {
	tb.Helper()
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	hs := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(&s.log, nil), slog.LevelError)}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	s.dial = func() net.Conn {
		ours, theirs := net.Pipe()
		over := make(chan struct{})
		l.conns <- &serverEnd{Conn: theirs, over: over}
		return &dialled{ours, over}
	}
	tb.Cleanup(func() {
		s.wantEmpty(tb)
		_ = hs.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("Serve: %v", err)
		}
	})
}

// attacker is one more connection, of which nothing is left to do.
func (s *siege) attacker(lines ...string) (*peer, *protocol.Conn) {
	s.t.Helper()
	p := s.open(s.t, lines...)
	s.accepted++
	return p, settled(s.opened)
}

// over ends the siege: the good peer is served and goes, the server has counted
// want and nothing else, and holds nothing any more. Accepted may be left out.
func (s *siege) over(want websocket.Stats) { //nolint:gocritic // a literal of what is not zero reads best
	s.t.Helper()
	s.good.served()
	s.good.closes()
	synctest.Wait()
	s.counted(want)
	if left := websocket.Left(s.Server); left != "" {
		s.t.Errorf("left behind: %s", left)
	}
}

func (s *siege) counted(want websocket.Stats) { //nolint:gocritic // a literal of what is not zero reads best
	s.t.Helper()
	if want.Accepted == 0 {
		want.Accepted = s.accepted
	}
	wantStats(s.t, s.Server, want)
}

// wantStats names the counters that are not as they should be.
func wantStats(tb testing.TB, s *websocket.Server, want websocket.Stats) { //nolint:gocritic // a literal of what is not zero reads best
	tb.Helper()
	got := s.Stats()
	if got == want {
		return
	}
	for name, pair := range fieldsOf(reflect.ValueOf(got), reflect.ValueOf(want)) {
		if pair[0] != pair[1] {
			tb.Errorf("Stats().%s is %d, want %d", name, pair[0], pair[1])
		}
	}
}

func fieldsOf(got, want reflect.Value) map[string][2]int64 {
	all := map[string][2]int64{}
	for _, f := range reflect.VisibleFields(got.Type()) {
		if f.Type.Kind() == reflect.Int64 {
			all[f.Name] = [2]int64{got.FieldByIndex(f.Index).Int(), want.FieldByIndex(f.Index).Int()}
		}
	}
	return all
}

// ended fails unless the next connection to end does so as said.
func (s *siege) ended(code protocol.CloseCode, remote bool, why error) {
	s.t.Helper()
	select {
	case got := <-s.ends:
		if got.Code != code || got.Remote != remote || why != nil && !errors.Is(got.Err, why) {
			s.t.Errorf("Disconnect is told %+v, want %d, remote %v, %v", got, code, remote, why)
		}
	case <-time.After(time.Hour):
		s.t.Fatal("no Disconnect within an hour")
	}
}

// floods writes b over and over, until the connection is over or n are written. It
// does not wait for that.
func (p *peer) floods(b []byte, n int) (written <-chan int) {
	out := make(chan int, 1)
	_ = p.nc.SetDeadline(time.Time{})
	go func() {
		i := 0
		for ; i < n; i++ {
			if _, err := p.nc.Write(b); err != nil {
				break
			}
		}
		out <- i
	}()
	return out
}

// endless is a number of writes that no bound should let through.
const endless = 300

// untilClose reads up to a close frame, and returns its code and how many pongs
// and others came before. Without a close the code is 0.
func (p *peer) untilClose() (code uint16, pongs, others int) {
	for {
		f, err := p.read()
		switch {
		case err != nil:
			return 0, pongs, others
		case f.first == finPong:
			pongs++
		case f.first == finClose && len(f.payload) >= 2:
			return binary.BigEndian.Uint16([]byte(f.payload)), pongs, others
		default:
			others++
		}
	}
}

// attack is a peer that runs into a bound.
type attack struct {
	opts   websocket.Options
	app    *fakes.Handler                            // default: echo
	do     func(s *siege, p *peer, c *protocol.Conn) // until we have reacted
	code   protocol.CloseCode                        // what Disconnect is told
	remote bool                                      // and that the peer has closed
	err    error                                     // and why
	stats  websocket.Stats                           // the counters that move
}

// withstand has a server attacked in a bubble.
func withstand(t *testing.T, a *attack) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		app := a.app
		if app == nil {
			app = fakes.Echo()
		}
		s := besiege(t, app, &a.opts)
		p, c := s.attacker()
		a.do(s, p, c)
		s.good.served()
		p.nc.Close()
		s.ended(a.code, a.remote, a.err)
		synctest.Wait()
		s.over(a.stats)
	})
}

// dialled is a peer's end of a pipe, and serverEnd the server's.
type dialled struct {
	net.Conn
	over <-chan struct{} // the server has closed its end
}

type serverEnd struct {
	net.Conn
	once sync.Once
	over chan struct{}
}

func (e *serverEnd) Close() error {
	e.once.Do(func() { close(e.over) })
	return e.Conn.Close()
}

// cutAfter waits until the server has closed the socket, without reading or
// writing, and returns how long that took.
func (p *peer) cutAfter(begun time.Time) time.Duration {
	p.tb.Helper()
	select {
	case <-p.nc.(*dialled).over:
	case <-time.After(time.Hour):
		p.tb.Fatal("not cut within an hour")
	}
	return time.Since(begun)
}

const (
	writeTimeout = 15 * time.Second
	closeTimeout = 5 * time.Second
	kib          = 1 << 10
)

// waitsFor is until the server has closed the socket of a peer that does not
// read: never later than that, and not before two thirds of it have passed.
func (p *peer) waitsFor(d time.Duration) {
	p.tb.Helper()
	if took := p.cutAfter(time.Now()); took < d/3*2 || took > d {
		p.tb.Errorf("cut after %v, want about %v", took, d)
	}
}

// masked is a client's frame of one byte of payload, n times.
func masked(first byte, payload string, n int) []byte {
	return []byte(strings.Repeat(string(frame(first, payload)), n))
}
