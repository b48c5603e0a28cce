package layers_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// Picture is one to be made smaller.
type Picture struct {
	ID int `json:"id"`
}

// Resize is work for whoever takes events from the channel "thumbnails".
var Resize = protocol.EventType[Picture]{Name: "thumbnails.resize"}

// Resizer makes pictures smaller. There is one for each event.
type Resizer struct {
	consumer.Base
	done chan<- string
}

func (r *Resizer) resize(_ context.Context, _ *consumer.Conn, p Picture) error {
	r.done <- fmt.Sprint("picture ", p.ID, " is small now")
	return nil
}

// A worker does what others only send, here from plain Go code.
func ExampleWorker() {
	layer, done := new(layers.Layer), make(chan string)
	worker := &layers.Worker{
		Puller: layer,
		App: router.NewChannelNameRouter(map[string]protocol.Application{
			"thumbnails": consumer.New(func(*consumer.Scope) *Resizer { return &Resizer{done: done} },
				consumer.On(Resize, (*Resizer).resize)),
		}),
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()

	if err := layer.Send(ctx, "thumbnails", Resize.New(Picture{ID: 7})); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-done)
	stop()
	fmt.Println(<-ended)
	// Output:
	// picture 7 is small now
	// <nil>
}
