package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// act is what the application does besides sending back what it gets.
type act uint8

const (
	actNone        act = iota
	actReturnClose     // the callback returns protocol.NewCloseError
	actClose           // the callback closes
	actFail            // the callback returns an error
	actPanic
	actGoexit
	actCloseElsewhere // another goroutine closes, sooner or later
	acts
)

// plan is how a conversation goes, beside the bytes of the client.
type plan struct {
	early   bool // the first piece comes along with the request
	slow    bool // the client waits a little before each piece
	waits   bool // the client waits until all is quiet before it hangs up
	blocks  bool // the first callbacks take so long that reading is taken over
	ahead   int  // Limits.ReadAhead, 0: the default
	limit   int  // Limits.MaxMessage, 0: the default
	besides int  // messages sent by a goroutine of its own

	act    act
	at     int // the message at which the application acts
	code   uint16
	reason string
}

// planOf reads a plan. Bytes that are missing are zero.
func planOf(b []byte) plan {
	b = append(slices.Clone(b), make([]byte, 7)...)
	p := plan{
		early: b[0]&1 != 0, slow: b[0]&2 != 0, waits: b[0]&4 != 0, blocks: b[0]&8 != 0,
		ahead: int(b[0] & 16), limit: int(b[1]), besides: int(b[4] % 8),
		act: act(b[2]) % acts, at: int(b[3] % 8), code: uint16(b[5])<<8 | uint16(b[6]),
	}
	if len(b) > 14 {
		p.reason = string(b[7 : len(b)-7])
	}
	return p
}

// exact reports whether it is certain what is said in which order: the goroutine
// that reads runs the callbacks, and nobody else closes. What comes along with
// the request may be read while the connection opens, and then waits for
// callbacks as it does behind one that blocks.
func (p *plan) exact() bool { return !p.blocks && !p.early && p.act != actCloseElsewhere }

// speaker is the application: it sends back what it gets, with a letter in
// front, and does as planned.
type speaker struct {
	plan
	heard   []frametest.Item
	sent    int // by the goroutine of its own
	ends    []protocol.CloseStatus
	faults  []string
	running bool
}

var errPlanned = errors.New("planned")

func (s *speaker) Open(*protocol.Scope) (protocol.Handler, error)               { return s, nil }
func (s *speaker) Event(context.Context, *protocol.Conn, *protocol.Event) error { return nil }

func (s *speaker) faultf(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// begins and returns are around callbacks.
func (s *speaker) begins() {
	if s.running || len(s.ends) > 0 {
		s.faultf("a callback while another one runs, or after Disconnect")
	}
	s.running = true
}

func (s *speaker) returns() { s.running = false }

func (s *speaker) Connect(_ context.Context, c *protocol.Conn) error {
	s.begins()
	defer s.returns()
	if s.besides > 0 {
		go s.speak(c)
	}
	return nil
}

// speak sends from a goroutine of its own, each second message as one that
// others share.
func (s *speaker) speak(c *protocol.Conn) {
	for i := range s.besides {
		m := protocol.Text(aside(i))
		var err error
		if i%2 == 0 {
			err = c.Send(context.Background(), m)
		} else {
			p := protocol.Prepare(m)
			err = c.SendPrepared(context.Background(), p)
			p.Release()
		}
		if err != nil {
			return
		}
		s.sent++
		runtime.Gosched()
	}
}

// aside is what is sent by a goroutine of its own; some are so large that they
// are not copied.
func aside(i int) string {
	s := fmt.Sprint("s", i)
	if i%4 == 3 {
		s += strings.Repeat(".", 2<<10)
	}
	return s
}

// block is longer than a callback may take before it is left behind.
const block = engine.BlockedAfter + time.Millisecond

func (s *speaker) Receive(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	s.begins()
	defer s.returns()
	n, data := len(s.heard), string(m.Data)
	s.heard = append(s.heard, frametest.Item{OpCode: frame.OpCodeOf(m.Kind), Data: data})
	if s.blocks && n < 3 {
		<-time.After(block)
		if string(m.Data) != data {
			s.faultf("message %d was %q, and has become %q", n, data, m.Data)
		}
	}
	m.Data = append([]byte{'e'}, m.Data...)
	err := c.Send(ctx, m)
	if n != s.at {
		return err
	}
	return errors.Join(err, s.do(c))
}

// do acts.
func (s *speaker) do(c *protocol.Conn) error {
	switch code := protocol.CloseCode(s.code); s.act {
	case actReturnClose:
		return protocol.NewCloseError(code, s.reason)
	case actClose:
		c.Close(code, s.reason)
		if err := c.Send(context.Background(), protocol.Text("e, and too late")); !errors.Is(err, protocol.ErrClosed) {
			s.faultf("a send after Close: %v", err)
		}
	case actFail:
		return errPlanned
	case actPanic:
		panic(errPlanned)
	case actGoexit:
		runtime.Goexit()
	case actCloseElsewhere:
		go c.Close(code, s.reason)
	case actNone, acts:
	}
	return nil
}

func (s *speaker) Disconnect(_ context.Context, _ *protocol.Conn, st protocol.CloseStatus) {
	s.begins()
	defer s.returns()
	s.ends = append(s.ends, st)
}

// theirEnd is how the application ends the connection (RFC 6455 section 7.4).
func (p *plan) theirEnd() protocol.CloseStatus {
	said := p.act == actReturnClose || p.act == actClose || p.act == actCloseElsewhere
	if !said || !frametest.MayClose(p.code) || p.code == 1010 {
		return protocol.CloseStatus{Code: 1011}
	}
	return protocol.CloseStatus{Code: protocol.CloseCode(p.code), Reason: frametest.ShortenReason(p.reason)}
}

// conversation is one that is over.
type conversation struct {
	plan  plan
	app   *speaker
	wire  *wire
	stats Stats
	left  int // connections that the server has not forgotten

	half     bool // before the client hung up the server had closed its half
	shut     bool // before that it had closed the socket
	statuses []int
}

// converse has a client say pieces to a server.
func converse(p *plan, pieces [][]byte) *conversation {
	app := &speaker{plan: *p}
	s := New(app, &Options{
		Limits: protocol.Limits{MaxMessage: p.limit, ReadAhead: p.ahead},
		Logger: slog.New(slog.DiscardHandler),
	})
	w := newWire()
	a := &answering{wire: w}
	if p.early && len(pieces) > 0 {
		a.early, pieces = pieces[0], pieces[1:]
	}
	s.ServeHTTP(a, handshaketest.Request())
	for i, piece := range pieces {
		if p.slow && i < 20 {
			<-time.After(3 * time.Millisecond)
		}
		w.say(piece)
	}
	c := &conversation{plan: *p, app: app, wire: w}
	if p.waits {
		<-time.After(20 * block) // that nobody takes for silence
		_, c.half, c.shut = w.written()
	}
	w.hangUp()
	<-time.After(20 * block)
	synctest.Wait()
	c.left = s.gate.Stats().Conns
	c.stats, c.statuses = s.Stats(), a.statuses
	return c
}

// FuzzConversation compares what a server makes of a client's bytes with what
// they mean. The bytes come in pieces, the application closes, fails, blocks and
// sends from elsewhere.
func FuzzConversation(f *testing.F) {
	addConversations(f)
	f.Fuzz(func(t *testing.T, how, in, cuts []byte) {
		if len(in) > 5000 {
			t.Skip("so many control frames without a message are not answered")
		}
		p := planOf(how)
		want := frametest.Reference{In: in, MaxMessage: p.limit}
		if p.limit == 0 {
			want.MaxMessage = protocol.Limits{}.WithDefaults().MaxMessage
		}
		if err := want.Read(); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			c := converse(&p, frametest.Pieces(in, cuts))
			if err := c.judge(&want); err != nil {
				t.Fatalf("%v\nplan %+v\nthe client's bytes mean %+v and %+v", err, p, want.Items, want.End)
			}
		})
	})
}

// addConversations adds what the tables of the parser have, in all ways of
// going about it.
func addConversations(f *testing.F) {
	f.Helper()
	rows := frametest.Rows()
	hello := slices.Concat(frametest.Frame(frametest.Fin|1, "hello"), frametest.Frame(frametest.Fin|9, "ping"))
	bye := frametest.Frame(frametest.Fin|8, "\x03\xe8bye")
	for i, row := range rows {
		if len(row.In) > 2000 {
			continue
		}
		how := []byte{byte(i), byte(row.Limit), byte(i / 3), byte(i % 3), byte(i / 5), 0x0f, byte(0xa0 + i%8), 'w', 'h', 'y'}
		f.Add(how, slices.Concat(hello, row.In, hello, bye), []byte{byte(3 * i), 0})
		f.Add([]byte{byte(i / 2)}, slices.Concat(hello, row.In), []byte{255})
	}
	for i, in := range frametest.BrokenText() {
		f.Add([]byte{byte(i)}, slices.Concat(hello, in), []byte{255, 3})
	}
	many := slices.Repeat(hello, 40)
	for how := range byte(32) {
		for a := range byte(acts) {
			f.Add([]byte{how, 0, a, how % 5, a + how, 0x0f, 0xa0, 'w', 'h', 'y'}, slices.Concat(many, bye), []byte{7, 60, 100})
		}
	}
	for code := range uint16(17) {
		payload := binary.BigEndian.AppendUint16(nil, 999+code)
		reason := strings.Repeat("a", 115+int(code)) + "世界"
		f.Add(append([]byte{4, 0, byte(actReturnClose), 0, 0, payload[0], payload[1]}, reason...), slices.Concat(hello, bye), []byte{255})
		f.Add([]byte{byte(code)}, slices.Concat(hello, frametest.Frame(frametest.Fin|8, string(payload)), hello), []byte{255})
	}
	f.Add([]byte{4}, slices.Concat(hello, frametest.Frame(frametest.Fin|8, "\x03\xe8\xff")), []byte{255})
	f.Add([]byte{1}, bye, []byte{0})
	f.Add([]byte{8, 0, 1, 0, 0, 3, 0xe8}, slices.Concat(frametest.Frame(frametest.Fin|1, "a"), frametest.Frame(frametest.Fin|8, "")), []byte{255})
}
