package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
)

// Goal says which team has scored.
type Goal struct {
	Team string `json:"team"`
}

// Scored is recorded in the history of the group "match".
var Scored = consumer.EventType[Goal]{Name: "match.scored"}

// Fan follows a match. A peer that connects again passes the position of the last event
// that it has seen.
type Fan struct {
	consumer.Base
	since    consumer.Position
	sinceErr error
}

// NewFan makes a Fan for each connection.
func NewFan(s *consumer.Scope) *Fan {
	f := &Fan{}
	f.sinceErr = f.since.UnmarshalText([]byte(s.Query().Get("since")))
	return f
}

// Connect joins the group and sends the events that the peer has missed.
func (f *Fan) Connect(ctx context.Context, c *consumer.Conn) error {
	if f.sinceErr != nil {
		return consumer.NewRejectError(400, f.sinceErr.Error())
	}
	h, err := c.JoinFrom(ctx, "match", consumer.Range{After: f.since})
	if err != nil {
		return err
	}
	if !h.Complete {
		if err := c.SendText(ctx, "some goals are missing"); err != nil {
			return err
		}
	}
	return c.Replay(ctx, h.Events)
}

func (f *Fan) scored(ctx context.Context, c *consumer.Conn, g Goal) error {
	return c.SendJSON(ctx, map[string]any{"team": g.Team, "since": consumer.PositionOf(ctx)})
}

// A peer that comes back with the position of the last event that it has seen receives
// the events that it has missed, and then later ones, from the same handler.
func ExampleConn_JoinFrom() {
	app := consumer.New(NewFan, consumer.On(Scored, (*Fan).scored))
	score := func(team string) consumer.Position {
		p, err := layers.Default().Record(context.Background(), "match", Scored.New(Goal{team}), consumer.Retention{})
		if err != nil {
			fmt.Println(err)
		}
		return p
	}
	read := func(ann *consumertest.Client) {
		var goal struct {
			Team  string            `json:"team"`
			Since consumer.Position `json:"since"`
		}
		if err := json.Unmarshal(ann.Message().Data, &goal); err != nil {
			fmt.Println(err)
		}
		fmt.Println("Ann reads: goal", goal.Since.Offset, "by", goal.Team)
	}

	ann := connect(app, "/")
	seen := score("Reds")
	read(ann)
	hangUp(ann) // she loses her connection
	score("Blues")
	score("Blues")
	ann = connect(app, "/?since="+seen.String())
	defer hangUp(ann)
	score("Reds")
	for range 3 {
		read(ann)
	}
	// Output:
	// Ann reads: goal 1 by Reds
	// Ann reads: goal 2 by Blues
	// Ann reads: goal 3 by Blues
	// Ann reads: goal 4 by Reds
}
