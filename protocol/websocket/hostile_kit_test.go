package websocket_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// bystander is a peer that behaves: it reads what comes, and answers pings.
type bystander struct {
	p    *peer
	said chan websockettest.Frame
}

func behave(p *peer) *bystander {
	b := &bystander{p: p, said: make(chan websockettest.Frame, 10)}
	p.Patience = -1
	go b.read()
	return b
}

func (b *bystander) read() {
	defer close(b.said)
	for {
		f, err := b.p.Read()
		switch {
		case err != nil:
			return
		case f.First == finPing:
			go b.say(frame(finPong, f.Payload)) // whoever writes to us may be the one that has to read it
		default:
			b.said <- f
		}
	}
}

func (b *bystander) say(f []byte) { b.p.Conn.Write(f) } //nolint:errcheck // the answer shows it

// served fails unless the server answers, and at once if in a bubble.
func (b *bystander) served() {
	b.p.tb.Helper()
	begun := time.Now()
	go b.say(frame(finText, "all is well"))
	select {
	case f, open := <-b.said:
		if !open || f.Payload != "all is well" {
			b.p.tb.Errorf("the good peer got %v, open %v", f, open)
		}
	case <-time.After(patience):
		b.p.tb.Fatal("the good peer is not served")
	}
	if _, pipe := b.p.Conn.(*websockettest.Pipe); pipe && time.Since(begun) > 0 {
		b.p.tb.Errorf("the good peer had to wait for %v", time.Since(begun))
	}
}

// closes ends the good connection as it should end.
func (b *bystander) closes() {
	b.p.tb.Helper()
	go b.say(closing(1000, ""))
	if f := <-b.said; f.First != finClose {
		b.p.tb.Errorf("the good peer got %v, want a close", f)
	}
	for range b.said { // until the end of the stream
	}
	b.p.Conn.Close()
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
func besiege(t *testing.T, via carrier, app *fakes.Handler, o *websocket.Options) *siege {
	t.Helper()
	return besiegeBehind(t, via, app, app, o, func(h http.Handler) http.Handler { return h })
}

// besiegeBehind is besiege for an application that stands behind another one, and
// a server behind wrap.
func besiegeBehind(t *testing.T, via carrier, app *fakes.Handler, front protocol.Application, o *websocket.Options, wrap func(http.Handler) http.Handler) *siege {
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
	s.listenOver(t, via, wrap(s.Server))
	p, _ := s.attacker()
	s.good = behave(p)
	return s
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
	got.Loops = websocket.Loops{} // they depend on what runs connections, and on how busy the machine is
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
	go func() {
		i := 0
		for ; i < n; i++ {
			if _, err := p.Conn.Write(b); err != nil {
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
func (p *peer) untilClose() (code protocol.CloseCode, pongs, others int) {
	for {
		f, err := p.Read()
		switch {
		case err != nil:
			return 0, pongs, others
		case f.First == finPong:
			pongs++
		case f.First == finClose && f.Payload != "":
			code, _ := f.Status()
			return code, pongs, others
		default:
			others++
		}
	}
}

// attack is a peer that runs into a bound.
type attack struct {
	opts   websocket.Options
	pipe   bool                                      // only over a net.Pipe
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
	inBubbles(t, func(t *testing.T, via carrier) {
		if a.pipe && via.loops {
			t.Skip("a rule for connections that are not plain sockets")
		}
		app := *fakes.Echo()
		if a.app != nil {
			app = *a.app
		}
		s := besiege(t, via, &app, &a.opts)
		p, c := s.attacker()
		a.do(s, p, c)
		s.good.served()
		p.Conn.Close()
		s.ended(a.code, a.remote, a.err)
		synctest.Wait()
		s.over(a.stats)
	})
}

// cutAfter waits until the server has closed the socket, without reading or
// writing, and returns how long that took.
func (p *peer) cutAfter(begun time.Time) time.Duration {
	p.tb.Helper()
	select {
	case <-p.Conn.(*websockettest.Pipe).Cut:
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
