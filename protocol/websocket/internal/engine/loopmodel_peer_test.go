package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// live is the peer's life.
func (x *modelMember) live() {
	go x.read()
	x.script()
	<-x.done
	x.socket.leave()
}

func (x *modelMember) pause(most int) {
	if most > 0 {
		<-time.After(time.Duration(x.random.IntN(most)) * time.Millisecond / 4)
	}
}

func (x *modelMember) write(b []byte) bool {
	x.writing <- struct{}{}
	defer func() { <-x.writing }()
	return x.socket.send(b)
}

// message returns the frames of the next message.
func (x *modelMember) message(kind string) (frames []byte) {
	size := []int{0, 5, 200, 2000, 9000, 150000}[min(x.random.IntN(20)/3, 5)]
	if size > 9000 && x.random.IntN(4) > 0 {
		size = 1
	}
	text := modelText(x.id, kind, x.id, int(x.sent.Load()), size)
	x.sent.Add(1)
	first := byte(ws.OpText)
	for x.random.IntN(5) == 0 && len(text) > 1 {
		n := x.random.IntN(len(text))
		frames = append(frames, frametest.Frame(first, text[:n])...)
		frames = append(frames, frametest.Frame(frametest.Fin|byte(ws.OpPing), "within")...)
		text, first = text[n:], byte(ws.OpContinuation)
	}
	return append(frames, frametest.Frame(frametest.Fin|first, text)...)
}

// script writes.
func (x *modelMember) script() {
	kind := []string{"echo", "echo", "echo", "many", "blockecho", "bcast", "bcast", "post", "key", "go", "blockecho", "postmany", "huge", "nothing"}
	if !x.polite {
		kind = append(kind, "close", "closehere", "panic", "goexit", "error")
	}
	for range x.random.IntN(25) {
		var b []byte
		for range 1 + x.random.IntN(4)*x.random.IntN(8) {
			k := kind[x.random.IntN(len(kind))]
			if k != "echo" && x.random.IntN(3) > 0 {
				k = "echo"
			}
			b = append(b, x.message(k)...)
		}
		switch {
		case x.random.IntN(6) == 0 && x.polite:
			if !x.write(b) || !x.ping() {
				return
			}
			continue
		case x.random.IntN(10) == 0 && !x.polite:
			x.allow(protocol.CloseAbnormal) // a write may time out
			x.stalled.Store(!x.stalled.Load())
		}
		if !x.write(b) {
			return
		}
		x.pause([]int{0, 1, 4, 20, 100}[x.random.IntN(5)])
	}
	x.last()
}

// awaitHandled waits until the callback of the last message has been started.
func (x *modelMember) awaitHandled() bool {
	for x.handled.Load() < x.sent.Load() {
		select {
		case <-time.After(time.Millisecond):
		case <-x.done:
			return false
		}
	}
	return true
}

// ping sends a ping, and waits until it is answered: also while a callback blocks.
func (x *modelMember) ping() bool {
	if !x.awaitHandled() { // reading may stop while messages wait
		return false
	}
	if x.c.out.pending() > x.m.e.Limits.QueueBytes/2 {
		return true // a pong may be left out
	}
	payload := fmt.Sprint(x.random.Uint64())
	if !x.write(frametest.Frame(frametest.Fin|byte(ws.OpPing), payload)) {
		return false
	}
	for range 5000 {
		if _, ok := x.pongs.Load(payload); ok {
			return true
		}
		select {
		case <-time.After(time.Millisecond):
		case <-x.done:
			return false
		}
	}
	x.m.net.faultf("member %d: a ping was not answered within 5s: state %b, %d bytes queued, sockets of %d and %d, sent %d, handled %d",
		x.id, x.c.looped.state, x.c.out.pending(), x.socket.inSize, x.socket.outSize, x.sent.Load(), x.handled.Load())
	return false
}

// last ends the connection.
func (x *modelMember) last() {
	if x.polite {
		if !x.awaitHandled() {
			return
		}
		x.allow(3999)
		x.write(frametest.Frame(frametest.Fin|byte(ws.OpClose), string(binary.BigEndian.AppendUint16(nil, 3999))))
		return
	}
	switch x.random.IntN(8) {
	case 0, 1:
		x.allow(3999)
		x.write(frametest.Frame(frametest.Fin|byte(ws.OpClose), string(binary.BigEndian.AppendUint16(nil, 3999))))
	case 2:
		x.allow(protocol.CloseAbnormal)
		x.socket.hangUp()
	case 3:
		x.allow(protocol.CloseAbnormal)
		x.socket.abort()
	case 4:
		x.allow(protocol.CloseAbnormal)
		x.socket.leave()
	case 5:
		x.allow(protocol.CloseProtocolError)
		x.write([]byte{0x81, 0x05, 'x', 'x', 'x', 'x', 'x'}) // not masked
		x.write(make([]byte, x.random.IntN(3000)))
	case 6:
		x.allow(protocol.CloseAbnormal)
		x.stalled.Store(true)
		for range x.random.IntN(2000) {
			if !x.write(x.message("echo")) {
				return
			}
		}
	default: // waits for the server
	}
}

// read reads until nothing more comes.
func (x *modelMember) read() {
	defer close(x.done)
	var got []byte
	random := rand.New(rand.NewPCG(x.m.seed, 10000+uint64(x.id)))
	next := map[string]int{}
	slow := random.IntN(3) == 0
	answered := false
	for {
		for x.stalled.Load() && !x.m.over.Load() {
			<-time.After(10 * time.Millisecond)
		}
		b, err := x.socket.receive(1 + random.IntN(20000))
		if err != nil {
			if x.polite && !errors.Is(err, io.EOF) && !x.m.over.Load() {
				x.m.net.faultf("member %d: %v instead of an end", x.id, err)
			}
			return
		}
		got = append(got, b...)
		const answer = "HTTP/1.1 101 Switching Protocols\r\n\r\n"
		if !answered && len(got) >= len(answer) {
			if answered = true; string(got[:len(answer)]) != answer {
				x.m.net.faultf("member %d: the answer is %q", x.id, got)
			}
			got = got[len(answer):]
		}
		if answered {
			if got, err = x.frames(got, next); err != nil {
				x.m.net.faultf("member %d: %v", x.id, err)
				return
			}
		}
		if slow {
			<-time.After(time.Duration(random.IntN(3)) * time.Millisecond / 2)
		}
	}
}

// frames handles the whole frames of b, and returns the rest.
func (x *modelMember) frames(b []byte, next map[string]int) (rest []byte, err error) {
	for wholeFrame(b) {
		it := frametest.Item{OpCode: ws.OpPing}
		if n := 2 + int(b[1]&127); b[0] == byte(frametest.Fin|ws.OpPing) { // frametest knows none of a server's
			it.Data, b = string(b[2:n]), b[n:]
		} else if it, b, err = frametest.ReadServerFrame(b); err != nil {
			return nil, err
		}
		x.frame(it, next)
	}
	return b, nil
}

// answerClose answers the server's close, as far as the peer is polite.
func (x *modelMember) answerClose(payload string) {
	if x.polite || x.m.n(3) > 0 {
		x.write(frametest.Frame(frametest.Fin|byte(ws.OpClose), payload))
	}
	if x.polite || x.m.n(3) > 0 {
		x.socket.hangUp()
	}
}

// wholeFrame reports whether b begins with a whole frame.
func wholeFrame(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	switch n := int(b[1] & 127); {
	case n < 126:
		return len(b) >= 2+n
	case n == 126:
		return len(b) >= 4 && len(b) >= 4+int(binary.BigEndian.Uint16(b[2:]))
	default:
		return len(b) >= 10 && len(b) >= 10+int(binary.BigEndian.Uint64(b[2:]))
	}
}

// frame handles a frame of the server.
func (x *modelMember) frame(it frametest.Item, next map[string]int) {
	if x.closed.Load() != 0 {
		x.m.net.faultf("member %d: a frame behind the close frame", x.id)
	}
	switch it.OpCode {
	case ws.OpPong:
		x.pongs.Store(it.Data, true)
		return
	case ws.OpPing:
		go x.write(frametest.Frame(frametest.Fin|byte(ws.OpPong), it.Data))
		return
	case ws.OpClose:
		if err := frametest.CheckServerClose(it.Data, nil); err != nil {
			x.m.net.faultf("member %d: %v", x.id, err)
		}
		x.closed.Store(1)
		go x.answerClose(it.Data)
		return
	default:
	}
	to, kind, from, n, err := readText(it.Data)
	if err != nil || to != x.id {
		x.m.net.faultf("member %d: got %.60q: %v", x.id, it.Data, err)
		return
	}
	key := fmt.Sprint(kind, from)
	switch {
	case kind == "g":
	case kind == "k" || !x.ordered:
		if n < next[key] {
			x.m.net.faultf("member %d: got %s %d after %d", x.id, key, n, next[key])
		}
	case n != next[key]:
		x.m.net.faultf("member %d: got %s %d, want %d", x.id, key, n, next[key])
	}
	next[key] = n + 1
}
