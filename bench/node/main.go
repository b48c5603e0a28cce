// Command node is a node of Wye's layer, for the command nodes, which drives it: its
// members are no connections and only count. See package node.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/bench/internal/node"
	"github.com/wye-go/wye/bench/internal/probe"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

func main() {
	url := flag.String("layer", "redis://127.0.0.1:6379", "the Redis server")
	sends := flag.Bool("sends", false, "this is the node that sends")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the whole run to this `file`")
	flag.Parse()
	probe.Install()
	if err := profiled(*url, *sends, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

// profiled is run, with a CPU profile if one is wanted.
func profiled(url string, sends bool, profile string) error {
	if profile == "" {
		return run(url, sends)
	}
	file, err := os.Create(profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = run(url, sends)
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

func run(url string, sends bool) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := app.OpenLayer(ctx, url)
	if err != nil {
		return err
	}
	err = node.Serve(context.Background(), hub{l, map[int]protocol.Position{}}, sends)
	ctx, cancel = context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(err, l.Close(ctx))
}

// said is what is sent.
var said = protocol.EventType[line]{Name: "bench.said"}

type line struct {
	At   int64  `json:"t"`
	Text string `json:"text"`
}

type hub struct {
	layer *layers.Layer
	seen  map[int]protocol.Position // by how many events come after it
}

// Join makes a new member join.
func (h hub) Join(ctx context.Context, group string, m *node.Member) error {
	return h.layer.Join(ctx, group, member{m})
}

// Send sends an event.
func (h hub) Send(ctx context.Context, group string, sentAt int64) error {
	return h.layer.GroupSend(ctx, group, said.New(line{sentAt, node.Text}))
}

// member is in a group.
type member struct{ *node.Member }

// Deliver counts an event.
func (m member) Deliver(e *protocol.Event) (yield bool) {
	if m.Count() {
		if at, ok := sentAt(e); ok {
			m.Latency(at)
		}
	}
	return false
}

// sentAt reads the time in a line, which is its first field, without decoding the rest: what
// decoding costs depends on the program, and centrifuge's members do not decode either.
func sentAt(e *protocol.Event) (at int64, ok bool) {
	const field = "\x82\xa1t" // a map of two, and the name
	b, err := driver.Payload(e)
	if err != nil || len(b) < len(field)+9 || string(b[:len(field)]) != field {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b[len(field)+1:])), true
}

// Offer is for messages, which are not sent here.
func (member) Offer(*protocol.Prepared) (yield bool) { return false }
