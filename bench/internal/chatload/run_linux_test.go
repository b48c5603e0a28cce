package chatload

import (
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// TestRun is a short run, of which all but the speed must be right.
func TestRun(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Config{
		Dir: "../..", Race: testkit.Race, Progress: t.Output(),
		People: 100, Rooms: 5, Duration: 5 * time.Second, Every: time.Second, Named: 20, Lines: 5,
	})
	t.Logf("\n%v", r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Said == 0 || r.Said != r.Acknowledged || r.Said != r.Stored {
		t.Errorf("%d said, %d acknowledged, %d stored", r.Said, r.Acknowledged, r.Stored)
	}
	if want := (r.Stored-r.Direct)*20 + 2*r.Direct; r.Received != want {
		t.Errorf("%d received, want %d: %d for a room of 20, and %d for two", r.Received, want, r.Stored-r.Direct, r.Direct)
	}
	if r.Drops == 0 || r.Direct == 0 || r.Typing == 0 || r.Visits == 0 {
		t.Errorf("%d connections dropped, %d direct messages, %d and %d notices: too little has happened", r.Drops, r.Direct, r.Typing, r.Visits)
	}
	for _, figure := range []int64{
		int64(r.Server.CPU), int64(r.Client.CPU), r.Server.Peak, r.Database, int64(r.Ack.P50), int64(r.Last.P50 - r.Ack.P50),
	} {
		if figure <= 0 {
			t.Errorf("a figure is missing or wrong: %+v", r)
		}
	}
}

// TestRunNodes is a short run over several nodes, of which one is killed.
func TestRunNodes(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Config{
		Dir: "../..", Race: testkit.Race, Progress: t.Output(), Nodes: 3,
		People: 60, Rooms: 3, Duration: 8 * time.Second, Every: time.Second, Named: 60,
	})
	t.Logf("\n%v", r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Said == 0 || r.Said != r.Acknowledged || r.Said != r.Stored {
		t.Errorf("%d said, %d acknowledged, %d stored", r.Said, r.Acknowledged, r.Stored)
	}
	if want := (r.Stored-r.Direct)*20 + 2*r.Direct; r.Received != want {
		t.Errorf("%d received, want %d: %d for a room of 20, and %d for two", r.Received, want, r.Stored-r.Direct, r.Direct)
	}
	if r.Comeback.Lost == 0 || r.Comeback.Busiest == 0 || r.Comeback.Last == 0 || len(r.Each) != 5 {
		t.Errorf("a figure is missing: %+v, %v", r.Comeback, r.Each)
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	good := Config{People: 10, Rooms: 2, Duration: time.Second, Every: time.Second, Named: 5, Lines: 5}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		at     testkit.Line
		change func(*Config)
		want   string
	}{
		{testkit.Here(), func(c *Config) { c.Rooms = 0 }, "10 people in 0 rooms"},
		{testkit.Here(), func(c *Config) { c.Rooms = 6 }, "10 people in 6 rooms"},
		{testkit.Here(), func(c *Config) { c.Duration = 0 }, "duration 0s"},
		{testkit.Here(), func(c *Config) { c.Every = 0 }, "every 0s"},
		{testkit.Here(), func(c *Config) { c.Named = 6 }, "more than 10"},
		{testkit.Here(), func(c *Config) { c.Lines = -1 }, "-1 who talk in lines"},
		{testkit.Here(), func(c *Config) { c.Nodes = -1 }, "-1 nodes"},
		{testkit.Here(), func(c *Config) { c.Nodes = 2 }, "everybody has a name"},
	} {
		c := good
		row.change(&c)
		if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.at, err, row.want)
		}
	}
}
