package websocket

import (
	"context"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
	"github.com/wye-go/wye/router"
)

// BenchmarkHandshake is a connection from the parsed request to the written
// answer, and its end, without sockets and net/http.
func BenchmarkHandshake(b *testing.B) {
	s := New(fakes.Echo(), nil)
	r := handshaketest.Request()
	b.ReportAllocs()
	for b.Loop() {
		nc := enginetest.NewSink()
		s.ServeHTTP(&hijacker{nc: nc}, r)
		nc.AwaitReader()
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
		consumer.Groups[consumer.Base]("all")), layers.Middleware(l)), nil)
	b.Cleanup(func() { finish(b, s) })
	wrote := make(chan struct{}, members)
	for range members {
		nc := enginetest.NewSink()
		nc.Wrote = wrote
		join(b, s, nc)
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
