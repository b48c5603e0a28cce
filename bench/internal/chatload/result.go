package chatload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wye-go/wye/bench/internal/load"
)

// Result is what a run has shown.
type Result struct {
	// Config is what was asked for.
	Config Config
	// Said, Stored and Received are counts of messages. Direct ones are for two
	// people, all others for everybody in the room.
	Said, Acknowledged, Stored, Direct, Received int
	// Drops is how often people ended their connections. Repeated is how many
	// messages were said more than once, Slow and Busy how often the chat had them
	// be, because of its limit or of its database.
	Drops, Repeated, Slow, Busy int64
	// CaughtUp is how often the chat has told people what they had missed without
	// having been away.
	CaughtUp int64
	// Typing and Visits are notices received.
	Typing, Visits int64
	// Ack is from when a message was said to its acknowledgement, Last to when the
	// last person there had received it; of messages that were
	// said once, by people who stayed.
	Ack, Last Latency
	// Entry is what it took until all were in, and Ending how long it took the chat to
	// end.
	Entry  Entry
	Ending time.Duration
	// Server and Client are what both used while people talked.
	Server, Client load.Process
	// Each is what each process of several nodes used while people talked, and Comeback how
	// they came back from the node that was killed.
	Each     map[string]load.Process
	Comeback Comeback
	// Database is how large the file is, in bytes.
	Database int64
}

// Entry is what it took until all were in.
type Entry struct {
	Took   time.Duration
	Server load.Process
	// Bytes is what the chat has grown by, for each.
	Bytes int64
}

// Latency is how long something took.
type Latency struct{ P50, P99, Max time.Duration }

// latency sorts.
func latency(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	return Latency{P50: all[len(all)/2], P99: all[len(all)*99/100], Max: all[len(all)-1]}
}

// String is the latency in milliseconds.
func (l Latency) String() string {
	return fmt.Sprintf("%s / %s / %s ms", ms(l.P50), ms(l.P99), ms(l.Max))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e3) }

// count takes in what everybody knows.
func count(r *Result, c *crowd, records []*record, rows []row) {
	r.Config = c.Config
	r.Drops, r.Slow, r.Busy, r.CaughtUp = c.drops.Load(), c.slow.Load(), c.busy.Load(), c.caughtUp.Load()
	r.Typing, r.Visits = c.typing.Load(), c.visits.Load()
	r.Stored = len(rows)
	for i := range rows {
		if rows[i].to != "" {
			r.Direct++
		}
	}
	for _, p := range records {
		r.Said += len(p.said)
		r.Received += len(p.heard)
		for n := range p.said {
			if p.said[n].acked != 0 {
				r.Acknowledged++
			}
			if p.said[n].tries > 1 {
				r.Repeated++
			}
		}
	}
	r.Ack, r.Last = latencies(records)
	r.Comeback = c.comebacks()
}

// latencies are those of the messages that were said once, by people who stayed.
func latencies(records []*record) (ack, last Latency) {
	received := make(map[id]time.Duration)
	for _, p := range records {
		for _, h := range p.heard {
			if h.live {
				received[h.id] = max(received[h.id], h.at)
			}
		}
	}
	var acks, ends []time.Duration
	for who, p := range records {
		for n := range p.said {
			if s := &p.said[n]; s.tries == 1 && s.live {
				acks = append(acks, s.acked-s.at)
				ends = append(ends, received[id{who, n}]-s.at)
			}
		}
	}
	return latency(acks), latency(ends)
}

// String is a markdown table.
func (r Result) String() string {
	var b strings.Builder
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	c, seconds := &r.Config, r.Config.Duration.Seconds()
	fmt.Fprintf(&b, "| %d people, %d rooms, %v, each every %v | %s |\n|---|--:|\n", c.People, c.Rooms, c.Duration, c.Every, c.where())
	row("with a name, who drop and come back; guests; of these in lines", "%d; %d; %d", c.Named, c.People-c.Named, c.Lines)
	row("said = acknowledged = stored", "%d = %d = %d", r.Said, r.Acknowledged, r.Stored)
	row("received; of direct messages", "%d; %d", r.Received, 2*r.Direct)
	row("messages/s; deliveries/s", "%.0f; %.0f", float64(r.Stored)/seconds, float64(r.Received)/seconds)
	row("typing, joins and leaves received", "%d; %d", r.Typing, r.Visits)
	row("connections dropped; messages repeated", "%d; %d", r.Drops, r.Repeated)
	row("refused: slow; store", "%d; %d", r.Slow, r.Busy)
	row("caught up without having been away", "%d", r.CaughtUp)
	row("said to acknowledged: median / p99 / longest", "%v", r.Ack)
	row("said to last received: median / p99 / longest", "%v", r.Last)
	row("chat: CPU seconds (user + system)", "%s", cpu(&r.Server))
	row("chat: CPU ms per 1,000 received", "%.1f", r.Server.CPU.Seconds()*1e6/float64(max(r.Received, 1)))
	for _, name := range slices.Sorted(maps.Keys(r.Each)) {
		p := r.Each[name]
		row(name+": CPU seconds (user + system)", "%s", cpu(&p))
	}
	if c.Nodes > 1 {
		row("connections that were lost and came back; most within a second; last after the kill, ms", "%d; %d; %s",
			r.Comeback.Lost, r.Comeback.Busiest, ms(r.Comeback.Last))
	}
	row("load: CPU seconds (user + system)", "%s", cpu(&r.Client))
	row("ready and without a core, in seconds: chat; load", "%.1f; %.1f", r.Server.Waiting.Seconds(), r.Client.Waiting.Seconds())
	row("chat: all come in, in seconds; CPU ms each", "%.2f; %s", r.Entry.Took.Seconds(), ms(r.Entry.Server.CPU/time.Duration(c.People)))
	row("chat: memory for each that came in, KB", "%d", r.Entry.Bytes>>10)
	row("chat: peak memory, MB", "%d", r.Server.Peak>>20)
	row("database, MB", "%.1f", float64(r.Database)/(1<<20))
	row("SIGTERM to exit 0, ms", "%s", ms(r.Ending))
	return b.String()
}

// where says how many processes the chat was.
func (c *Config) where() string {
	switch c.Nodes {
	case 0:
		return "one process"
	case 1:
		return "one node"
	default:
		return fmt.Sprintf("%d nodes, of which one is killed", c.Nodes)
	}
}

func cpu(p *load.Process) string {
	return fmt.Sprintf("%.1f (%.1f + %.1f)", p.CPU.Seconds(), p.User().Seconds(), (p.CPU - p.User()).Seconds())
}
