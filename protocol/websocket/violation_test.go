package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

type violation struct {
	at   testkit.Line
	in   []byte
	code protocol.CloseCode
}

// violations are the ways in which a peer can break the rules. The limit is 100
// bytes.
func violations() []violation {
	return []violation{
		{testkit.Here(), []byte{finText, 1, 'a'}, 1002},                                          // not masked
		{testkit.Here(), frame(0xc1, "a"), 1002},                                                 // RSV1
		{testkit.Here(), frame(0x83, "a"), 1002},                                                 // reserved opcode
		{testkit.Here(), frame(finCont, "a"), 1002},                                              // nothing to continue
		{testkit.Here(), append(frame(text, "a"), frame(finText, "b")...), 1002},                 // not continued
		{testkit.Here(), frame(finPing, strings.Repeat("a", 126)), 1002},                         // long ping
		{testkit.Here(), frame(0x09, "a"), 1002},                                                 // fragmented ping
		{testkit.Here(), []byte{finText, 0xfe, 0, 1, 0, 0, 0, 0, 'a'}, 1002},                     // length not minimal
		{testkit.Here(), append([]byte{finText, 0xff}, bytes.Repeat([]byte{0xff}, 12)...), 1002}, // length negative
		{testkit.Here(), frame(finText, "\xff"), 1007},
		{testkit.Here(), append(frame(text, "\xe4"), frame(finCont, "\xb8")...), 1007},
		{testkit.Here(), frame(finText, strings.Repeat("a", 101)), 1009},
		{testkit.Here(), append(frame(text, strings.Repeat("a", 60)), frame(cont, strings.Repeat("a", 41))...), 1009},
		{testkit.Here(), []byte{finText, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1009},
	}
}

func small() *websocket.Options {
	return &websocket.Options{Limits: protocol.Limits{MaxMessage: 100}}
}

// TestDecision28_CloseReachesThePeer has peers break a rule and go on sending a
// lot: the close still gets through, and then the end of the stream.
func TestDecision28_CloseReachesThePeer(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, small())
		junk := bytes.Repeat([]byte("junk"), 1<<20)
		for _, v := range violations() {
			p := s.open(t)
			p.SendText("good")
			p.WantText("good")
			sent := make(chan error, 1)
			_ = p.Conn.SetWriteDeadline(time.Now().Add(patience))
			go func() {
				_, err := p.Conn.Write(append(v.in, junk...))
				sent <- err
			}()
			p.WantClose(v.code)
			p.WantEnd()
			if err := <-sent; err != nil {
				t.Errorf("%s: the rest was not taken: %v", v.at, err)
			}
			if got := <-ends; got.Code != v.code || got.Remote {
				t.Errorf("%s: ended with %+v, want %d", v.at, got, v.code)
			}
			p.Conn.Close()
		}
	})
}

// TestViolationBehindEarlyWords breaks a rule in the same packet as the request.
func TestViolationBehindEarlyWords(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), small())
		for _, v := range violations() {
			p := s.peer(t)
			p.SendBytes([]byte(websockettest.Request("/")), frame(finText, "early"), v.in)
			if a := p.ReadAnswer(); a.Status != 101 {
				t.Fatalf("%s: status %d", v.at, a.Status)
			}
			if got := p.Next(); got.First == finText {
				p.WantClose(v.code)
			}
			p.WantEnd()
		}
	})
}

// TestEarlyWordsAreHeard has a peer say something, and in the same write what ends
// the connection, while Open has answered and not returned yet. In the bubble
// everybody else gets as far as he can meanwhile: what was said first is answered
// all the same.
func TestEarlyWordsAreHeard(t *testing.T) {
	t.Parallel()
	linger := func(*protocol.RejectError) { synctest.Wait() }
	connects := map[string]func(context.Context, *protocol.Conn) error{
		"Connect goes on": func(_ context.Context, c *protocol.Conn) error {
			defer synctest.Wait()
			return c.Accept(nil)
		},
		"Answered": func(_ context.Context, c *protocol.Conn) error { c.Answered(linger); return nil },
	}
	rows := []violation{
		{testkit.Here(), frame(finCont, "breaks a rule"), 1002},
		{testkit.Here(), closing(4321, ""), 4321},
	}
	for name, connect := range connects {
		for _, row := range rows {
			for _, early := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d, early %v", name, row.code, early), func(t *testing.T) {
					t.Parallel()
					inBubbles(t, func(t *testing.T, via carrier) {
						if via.loops {
							t.Skip("here the peer does not take the answer at once, and then a loop does not wait for Open")
						}
						app := fakes.Echo()
						app.OnConnect = connect
						row.behind(serveOver(t, via, app, nil).peer(t), early)
					})
				})
			}
		}
	}
}

// behind breaks the rule behind a message that is echoed, both early, behind the
// request, or when that is answered.
func (v violation) behind(p *peer, early bool) {
	p.tb.Helper()
	begun, said := time.Now(), append(frame(finText, "said first"), v.in...)
	if early {
		p.Handshake(websockettest.Request("/") + string(said))
	} else {
		p.Upgrade(websockettest.Request("/"))
		p.SendBytes(said)
	}
	if got := p.Next(); got != heardText("said first") {
		p.tb.Fatalf("%s: got %s", v.at, describe(got, nil))
	}
	p.WantClose(v.code)
	if took := time.Since(begun); took > 0 {
		p.tb.Errorf("%s: it took %v, as though Open had blocked", v.at, took)
	}
	p.Conn.Close()
}

// TestViolationPatience closes the socket after CloseTimeout although the peer
// goes on and on.
func TestViolationPatience(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		opts := small()
		opts.CloseTimeout = 3 * time.Second
		p := serveOver(t, via, fakes.Echo(), opts).open(t)
		begun := time.Now()
		p.SendBytes(frame(finCont, "a"))
		p.WantClose(1002)
		var err error
		for err == nil {
			<-time.After(10 * time.Millisecond)
			_, err = p.Conn.Write([]byte("more"))
		}
		if d := time.Since(begun); d < 3*time.Second || d > 3*time.Second+20*time.Millisecond {
			t.Errorf("the socket was closed after %v, want 3s", d)
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}

// TestViolationWhileCallbackBlocks ends the callback's context at once.
func TestViolationWhileCallbackBlocks(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(ctx context.Context, _ *protocol.Conn, _ protocol.Message) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		ends := app.Ends()
		p := serveOver(t, via, app, small()).open(t)
		p.SendBytes(frame(finText, "block"), frame(finText, "waits"), frame(finCont, "breaks"))
		p.WantClose(1002)
		p.WantEnd()
		if got := <-ends; got.Code != 1002 {
			t.Errorf("ended with %+v", got)
		}
	})
}

// TestMaxFrame bounds one frame more tightly than a message.
func TestMaxFrame(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), &websocket.Options{Limits: protocol.Limits{MaxMessage: 100, MaxFrame: 10}})
		p := s.open(t)
		p.SendBytes(frame(text, "0123456789"), frame(cont, "0123456789"), frame(finCont, "0"))
		p.WantText("012345678901234567890")
		p.SendText("0123456789a")
		p.WantClose(1009)
		p.WantEnd()
	})
}
