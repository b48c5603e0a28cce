package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// life is what one peer does from its connection to its end. An error says that the
// server has not behaved as it must.
type life func(ctx context.Context, p *peer) error

// lives are all of them, by the name that the result shows.
var lives = []struct {
	name string
	life life
}{
	{"echo", echoes},
	{"echo", echoes},
	{"room", talks},
	{"room", talks},
	{"waits for callbacks that block", blocks},
	{"waits for callbacks that block", blocks},
	{"resets while a callback blocks", blocksAndVanishes},
	{"leaves without a close", leaves},
	{"resets within a message", tears},
	{"resets within the handshake", tearsHandshake},
	{"resets with messages waiting", overloads},
	{"does not read in a room", deaf},
	{"guesses PINs", guesses},
	{"makes a consumer panic", panics},
	{"breaks the protocol", violates},
	{"sends too much", tooBig},
	{"floods with pings", pings},
	{"asks for what is not there", refused},
}

// echoes sends some messages, gets each of them back, and closes.
func echoes(_ context.Context, p *peer) error {
	if err := p.open("echo"); err != nil {
		return err
	}
	for i := range 1 + rand.IntN(20) {
		want := websockettest.Text(strings.Repeat(string(rune('a'+i)), 1+rand.IntN(2000)))
		p.add(want)
		if err := p.flush(); err != nil {
			return err
		}
		got, err := p.message()
		if err != nil || got != want {
			return errors.Join(fmt.Errorf("sent %v, got %v", want, got), err)
		}
	}
	p.addClose()
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(1000)
}

func room() string { return fmt.Sprintf("room/r%d", rand.IntN(20)) }

// talks says things in a room, as events and as ready messages, and waits until the last
// has come back.
func talks(_ context.Context, p *peer) error {
	if err := p.open(room()); err != nil {
		return err
	}
	last := strconv.FormatUint(rand.Uint64(), 16)
	for range rand.IntN(5) {
		p.addText("hello")
		p.add(websockettest.Binary(strings.Repeat("\x01", rand.IntN(5000))))
	}
	p.addText(last)
	if err := p.flush(); err != nil {
		return err
	}
	for {
		got, err := p.message()
		if err != nil {
			return fmt.Errorf("in a room: %w", err)
		}
		if got.Payload == last {
			break
		}
	}
	p.addClose()
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(1000)
}

// blocks sends some messages at once to a consumer whose callbacks block, gets each of
// them back in their order, and closes.
func blocks(_ context.Context, p *peer) error {
	if err := p.open("block"); err != nil {
		return err
	}
	n := 1 + rand.IntN(8)
	for i := range n {
		p.addText(strconv.Itoa(i))
	}
	if err := p.flush(); err != nil {
		return err
	}
	for i := range n {
		got, err := p.message()
		if want := websockettest.Text(strconv.Itoa(i)); err != nil || got != want {
			return errors.Join(fmt.Errorf("sent %v, got %v", want, got), err)
		}
	}
	p.addClose()
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(1000)
}

// blocksAndVanishes resets while the callback for one of its messages may block.
func blocksAndVanishes(_ context.Context, p *peer) error {
	if err := p.open("block"); err != nil {
		return err
	}
	for range 1 + rand.IntN(5) {
		p.addText("x")
	}
	if err := p.flush(); err != nil {
		return err
	}
	<-time.After(time.Duration(rand.Int64N(int64(3 * workTime))))
	return p.vanish()
}

// leaves hangs up as programs do that end.
func leaves(_ context.Context, p *peer) error {
	if err := p.open(room()); err != nil {
		return err
	}
	p.addText("gone")
	if err := p.flush(); err != nil {
		return err
	}
	return p.CloseWrite()
}

// tears resets somewhere within a message of many frames.
func tears(_ context.Context, p *peer) error {
	if err := p.open("echo"); err != nil {
		return err
	}
	p.add(websockettest.Frame{First: websockettest.OpText, Payload: strings.Repeat("x", 3000)})
	p.add(websockettest.Frame{First: websockettest.FIN, Payload: strings.Repeat("y", 3000)})
	p.out = p.out[:1+rand.IntN(len(p.out)-1)]
	return errors.Join(p.flush(), p.vanish())
}

func tearsHandshake(_ context.Context, p *peer) error {
	_, err := io.WriteString(p, "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"[:10+rand.IntN(60)])
	return errors.Join(err, p.vanish())
}

// overloads leaves more messages behind than are worked off at once.
func overloads(_ context.Context, p *peer) error {
	if err := p.open("busy"); err != nil {
		return err
	}
	for range 500 {
		p.addText("x")
	}
	if rand.IntN(2) == 0 {
		p.addClose()
	}
	return errors.Join(p.flush(), p.vanish())
}

// deaf is in a room and reads nothing for a while.
func deaf(ctx context.Context, p *peer) error {
	if err := p.open(room()); err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(rand.IntN(3000)) * time.Millisecond):
	case <-ctx.Done():
	}
	return p.vanish()
}

// guesses sends many guesses in one write, and sometimes a close behind them.
func guesses(_ context.Context, p *peer) error {
	if err := p.open("pin"); err != nil {
		return err
	}
	for pin := range 100 {
		p.addText(fmt.Sprintf("%04d", pin))
	}
	if rand.IntN(2) == 0 {
		p.addClose()
		return drain(p, p.flush())
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(4401)
}

// panics makes its consumer panic, sometimes with a close behind.
func panics(_ context.Context, p *peer) error {
	if err := p.open("panic"); err != nil {
		return err
	}
	for range 100 {
		p.addText("")
	}
	if rand.IntN(2) == 0 {
		p.addClose()
		return drain(p, p.flush())
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(1011)
}

// drain reads until the server hangs up, whatever it says, unless the write before has
// failed.
func drain(p *peer, written error) error {
	if written == nil {
		_, _ = io.Copy(io.Discard, p.in) //nolint:errcheck // a reset is as good
	}
	return written
}

// violates breaks a rule of RFC 6455.
func violates(_ context.Context, p *peer) error {
	if err := p.open(room()); err != nil {
		return err
	}
	want := protocol.CloseProtocolError
	switch rand.IntN(5) {
	case 0:
		p.addText("\xff\xfe")
		want = protocol.CloseInvalidPayload
	case 1:
		p.add(websockettest.Frame{First: websockettest.FIN | 0x3}) // a reserved opcode
	case 2:
		p.add(websockettest.Frame{First: websockettest.FIN | websockettest.RSV1 | websockettest.OpText})
	case 3:
		p.add(websockettest.Frame{First: websockettest.FIN | websockettest.OpContinuation}) // of nothing
	case 4:
		p.out = append(p.out, websockettest.Text("x").Unmasked()...)
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(want)
}

// tooBig announces a message that is larger than allowed.
func tooBig(_ context.Context, p *peer) error {
	if err := p.open("echo"); err != nil {
		return err
	}
	p.out = append(p.out, websockettest.FIN|websockettest.OpText, 0x80|127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4)
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(1009)
}

// pings sends more pings than may come within a message.
func pings(_ context.Context, p *peer) error {
	if err := p.open("echo"); err != nil {
		return err
	}
	p.add(websockettest.Frame{First: websockettest.OpText, Payload: "never finished"})
	for range 1100 {
		p.add(websockettest.Ping(""))
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.closes(1008)
}

// refused asks for what is answered with no, and waits for the server to answer.
func refused(_ context.Context, p *peer) error {
	row := refusals[rand.IntN(len(refusals))]
	if err := p.request(row.path, row.lines...); err != nil {
		return err
	}
	if err := p.answer(row.want); err != nil {
		return fmt.Errorf("%s %s: %w", row.path, strings.Join(row.lines, ", "), err)
	}
	return nil
}

var refusals = []struct {
	path  string
	want  int
	lines []string
}{
	{"nowhere", http.StatusNotFound, nil},
	{"room/" + strings.Repeat("x", 100), http.StatusNotFound, nil},
	{"echo", http.StatusForbidden, []string{"Origin: https://evil.example"}},
	{"echo", http.StatusUpgradeRequired, []string{"Sec-WebSocket-Version: 8"}},
	{"echo", http.StatusBadRequest, []string{"Sec-WebSocket-Key: short"}},
	{"echo", http.StatusBadRequest, []string{"Content-Length: 5"}},
	{"nowhere", http.StatusNotFound, []string{"Content-Length: 5"}},
}
