// Command centrifuge is a node of centrifuge with its Redis broker, for the command nodes.
// Without -addr it is driven at the level of the layer: see package node. With it, it serves
// WebSocket in centrifuge's JSON protocol: every connection is subscribed to the channel
// "bench", and what it sends is published there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wye-go/wye/bench/internal/node"
)

func main() {
	redis := flag.String("layer", "redis://127.0.0.1:6379", "the Redis server")
	addr := flag.String("addr", "", "where to listen; empty to be driven")
	sends := flag.Bool("sends", false, "this is the node that sends")
	flag.Parse()
	if err := run(*redis, *addr, *sends); err != nil {
		fmt.Fprintln(os.Stderr, "centrifuge:", err)
		os.Exit(1)
	}
}

func run(redis, addr string, sends bool) (err error) {
	n, b, err := newNode(redis)
	if err != nil {
		return err
	}
	n.OnConnecting(connecting(addr != ""))
	n.OnConnect(func(c *centrifuge.Client) {
		c.OnMessage(func(e centrifuge.MessageEvent) { _, _ = n.Publish(room, e.Data) }) //nolint:errcheck // the load generator misses it
	})
	if err := n.Run(); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(err, n.Shutdown(ctx))
	}()
	if addr == "" {
		return node.Serve(context.Background(), &hub{node: n, broker: b}, sends)
	}
	srv := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second}
	srv.Handler = centrifuge.NewWebsocketHandler(n, centrifuge.WebsocketConfig{
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1},
	})
	return srv.ListenAndServe()
}

// room is the channel of the members with sockets.
const room = "bench"

// newNode returns a node with centrifuge's defaults.
func newNode(redis string) (*centrifuge.Node, *broker, error) {
	n, err := centrifuge.New(centrifuge.Config{Metrics: centrifuge.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()}})
	if err != nil {
		return nil, nil, err
	}
	shard, err := centrifuge.NewRedisShard(n, centrifuge.RedisShardConfig{Address: redis})
	if err != nil {
		return nil, nil, err
	}
	r, err := centrifuge.NewRedisBroker(n, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
	if err != nil {
		return nil, nil, err
	}
	b := &broker{RedisBroker: r}
	n.SetBroker(b)
	m, err := centrifuge.NewRedisPresenceManager(n, centrifuge.RedisPresenceManagerConfig{
		Shards:            []*centrifuge.RedisShard{shard},
		EnableUserMapping: func(ch string) bool { return ch == node.GroupName(node.CountedGroup) },
	})
	if err != nil {
		return nil, nil, err
	}
	n.SetPresenceManager(m)
	b.presences = m
	return n, b, nil
}

// connecting accepts all clients. With sockets, they are in the room.
func connecting(sockets bool) centrifuge.ConnectingHandler {
	reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}
	if sockets {
		reply.Subscriptions = map[string]centrifuge.SubscribeOptions{room: {}}
	}
	return func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) { return reply, nil }
}
