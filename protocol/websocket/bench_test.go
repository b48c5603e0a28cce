package websocket

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
	"github.com/wye-go/wye/router"
)

// BenchmarkEcho is what a read of messages costs up to the write of their
// echoes, socket and consumer excepted.
func BenchmarkEcho(b *testing.B) {
	reads := map[string]struct {
		messages int
		in       []byte
	}{
		"1x64":   {1, frametest.Frame(frametest.Fin|1, strings.Repeat("x", 64))},
		"16x64":  {16, bytes.Repeat(frametest.Frame(frametest.Fin|1, strings.Repeat("x", 64)), 16)},
		"1x16Ki": {1, frametest.Frame(frametest.Fin|1, strings.Repeat("x", 16<<10))},

		"1x64 Chinese":   {1, frametest.Frame(frametest.Fin|1, strings.Repeat("世", 21)+"x")},
		"1x16Ki Chinese": {1, frametest.Frame(frametest.Fin|1, strings.Repeat("世", 16<<10/3)+"x")},
	}
	for name, read := range reads {
		b.Run(name, func(b *testing.B) {
			c, nc := alone(b)
			buf := make([]byte, len(read.in))
			before := nc.bytes.Load()
			b.SetBytes(int64(len(read.in)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, read.in)
				turnOf(b, c, buf)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*read.messages), "ns/msg")
			b.ReportMetric(float64(nc.bytes.Load()-before)/float64(b.N), "written/op")
		})
	}
}

// BenchmarkHandshake is a connection from the parsed request to the written
// answer, and its end, without sockets and net/http.
func BenchmarkHandshake(b *testing.B) {
	s := New(fakes.Echo(), nil)
	r := handshaketest.Request()
	b.ReportAllocs()
	for b.Loop() {
		nc := newDiscard()
		s.ServeHTTP(&hijacker{nc: nc}, r)
		<-nc.reading
		nc.Close()
	}
	finish(b, s)
}

// BenchmarkBroadcast is one message of 128 bytes to 1000 connections, up to the
// last write.
func BenchmarkBroadcast(b *testing.B) {
	const members = 1000
	l := new(layers.Layer)
	s := New(router.Use(consumer.New(func(*consumer.Scope) consumer.Base { return consumer.Base{} },
		consumer.Groups[consumer.Base]("all")), layers.Use(l)), nil)
	b.Cleanup(func() { finish(b, s) })
	wrote := make(chan struct{}, members)
	for range members {
		nc := newDiscard()
		nc.wrote = wrote
		joined(b, s, nc)
		<-wrote
	}
	m := protocol.Message{Data: make([]byte, 128)}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Broadcast(context.Background(), "all", m); err != nil {
			b.Fatal(err)
		}
		for range members {
			<-wrote
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
}
