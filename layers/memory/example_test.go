package memory_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
)

// Pictures may wait for an hour, but no more than two of them.
func ExampleNew() {
	ctx := context.Background()
	layer, err := layers.Open(ctx, memory.New(&memory.Options{Channels: []memory.ChannelLimit{
		{Pattern: "thumbnails", Capacity: 2, Expiry: time.Hour},
		{Pattern: "mail.*", Capacity: 10_000},
	}}))
	if err != nil {
		log.Fatal(err)
	}
	resize := protocol.EventType[map[string]int]{Name: "thumbnails.resize"}
	for id := range 3 {
		err := layer.Send(ctx, "thumbnails", resize.New(map[string]int{"id": id}))
		fmt.Println(errors.Is(err, layers.ErrChannelFull))
	}
	// Output:
	// false
	// false
	// true
}

// Two layers of one process that reach each other.
func ExampleHub() {
	ctx, hub := context.Background(), memory.NewHub(nil)
	web, err := layers.Open(ctx, hub.Node())
	if err != nil {
		log.Fatal(err)
	}
	jobs, err := layers.Open(ctx, hub.Node())
	if err != nil {
		log.Fatal(err)
	}
	hello := protocol.EventType[map[string]string]{Name: "hello"}
	if err := web.Send(ctx, "greetings", hello.New(map[string]string{"to": "ann"})); err != nil {
		log.Fatal(err)
	}
	e, err := jobs.Pull(ctx, "greetings")
	if err != nil {
		log.Fatal(err)
	}
	greeting, err := hello.Payload(e)
	fmt.Println(greeting["to"], err)
	// Output: ann <nil>
}
