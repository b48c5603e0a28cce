package memory_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
)

// Pictures may wait for an hour, but no more than two of them.
func ExampleNewWith() {
	layer := memory.NewWith(&memory.Options{Channels: []layers.ChannelLimit{
		{Pattern: "thumbnails", Capacity: 2, Expiry: time.Hour},
		{Pattern: "mail.*", Capacity: 10_000},
	}})
	resize := protocol.EventType[map[string]int]{Name: "thumbnails.resize"}
	for id := range 3 {
		err := layer.Send(context.Background(), "thumbnails", resize.New(map[string]int{"id": id}))
		fmt.Println(errors.Is(err, layers.ErrFull))
	}
	// Output:
	// false
	// false
	// true
}
