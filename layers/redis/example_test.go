package redis_test

import (
	"context"
	"log"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// A program opens the layer once and gives it to all that sends and receives. Named channels
// called mail.* may hold more events than others, and for longer.
func ExampleNew() { //nolint:testableexamples // it needs a server on that port
	ctx := context.Background()
	layer, err := layers.Open(ctx, redis.New(redis.Options{
		URLs:     []string{"redis://localhost:6379"},
		Channels: []redis.ChannelLimit{{Pattern: "mail.*", Capacity: 10_000, Expiry: time.Hour}},
	}))
	if err != nil {
		log.Fatal(err)
	}
	// The program runs, and at its end:
	if err := layer.Close(ctx); err != nil {
		log.Fatal(err)
	}
}
