package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Goal is scored by a team.
type Goal struct {
	Team string `json:"team"`
}

// Scored is recorded in the group of a match.
var Scored = protocol.EventType[Goal]{Name: "match.scored"}

// Fan follows a match, and reconnects with the position of what it has seen last.
type Fan struct {
	consumer.Base
	since    protocol.Position
	sinceErr error
}

// NewFan makes a Fan for each connection.
func NewFan(s *consumer.Scope) *Fan {
	f := &Fan{}
	f.sinceErr = f.since.UnmarshalText([]byte(s.Query().Get("since")))
	return f
}

// Connect catches up.
func (f *Fan) Connect(ctx context.Context, c *consumer.Conn) error {
	if f.sinceErr != nil {
		return protocol.NewRejectError(400, f.sinceErr.Error())
	}
	h, err := c.JoinFrom(ctx, "match", layers.Range{After: f.since})
	if err != nil {
		return err
	}
	if !h.Complete {
		if err := c.SendText(ctx, "some of it is missing"); err != nil {
			return err
		}
	}
	return c.Replay(ctx, h.Events)
}

func (f *Fan) scored(ctx context.Context, c *consumer.Conn, g Goal) error {
	return c.SendJSON(ctx, map[string]any{"team": g.Team, "since": consumer.PositionOf(ctx)})
}

// Whoever comes back with the position of the last event that it has seen gets what
// it has missed, and then goes on, through the same handler.
func ExampleConn_JoinFrom() {
	app := consumer.New(NewFan, consumer.On(Scored, (*Fan).scored))
	score := func(team string) protocol.Position {
		p, err := layers.Default().Record(context.Background(), "match", Scored.New(Goal{team}), layers.Retention{})
		if err != nil {
			fmt.Println(err)
		}
		return p
	}
	hear := func(ann *consumertest.Client) {
		var told struct {
			Team  string            `json:"team"`
			Since protocol.Position `json:"since"`
		}
		if err := json.Unmarshal(ann.Message().Data, &told); err != nil {
			fmt.Println(err)
		}
		fmt.Println("Ann hears of goal", told.Since.Offset, "by", told.Team)
	}

	ann := connect(app, "/")
	seen := score("Reds")
	hear(ann)
	hangUp(ann) // she is in a tunnel
	score("Blues")
	score("Blues")
	ann = connect(app, "/?since="+seen.String())
	defer hangUp(ann)
	score("Reds")
	for range 3 {
		hear(ann)
	}
	// Output:
	// Ann hears of goal 1 by Reds
	// Ann hears of goal 2 by Blues
	// Ann hears of goal 3 by Blues
	// Ann hears of goal 4 by Reds
}
