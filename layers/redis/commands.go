package redis

import (
	"context"
	"math"
	"time"

	"github.com/redis/rueidis"
)

// commands is a client of a server. Its commands share one connection.
type commands struct {
	rueidis.Client

	conns  *conns
	server *server
}

// openCommands connects to the server.
func (s *server) openCommands(ctx context.Context) (*commands, error) {
	o := s.target.option
	if p := s.target.part; p != nil {
		select {
		case <-s.moved: // what follows takes account of it
		default:
		}
		master, err := p.cluster.master(ctx, p.slot)
		if err != nil {
			return nil, err
		}
		o.InitAddress = []string{master}
	}
	n := newConns(s.driver.ctx, &o)
	stop := context.AfterFunc(ctx, n.cut)
	defer stop()
	o.DialCtxFn = n.dial
	setDefaults(&o, "wye-"+s.driver.node)
	if tune := s.driver.tune.client; tune != nil {
		tune(&o)
	}
	client, err := rueidis.NewClient(o)
	c := &commands{client, n, s}
	if err != nil {
		c.cut()
		return nil, err
	}
	return c, nil
}

// setDefaults sets what the driver needs, whatever the URL says.
func setDefaults(o *rueidis.ClientOption, name string) {
	o.ClientName = name
	o.DisableCache = true            // nothing is cached
	o.DisableRetry = true            // it would retry for as long as ctx lasts
	o.AlwaysPipelining = true        // otherwise, a call that is alone does not return when its ctx is canceled
	o.PipelineMultiplex = -1         // one connection: commands are executed in the order of the calls
	o.BlockingPoolSize = math.MaxInt // with a bound, Dedicate would wait, and for ever; that of Redis (maxclients) is an error
	o.ForceSingleClient = o.Sentinel.MasterSet == ""
	o.Dialer.Timeout = dialTimeout
	o.Dialer.KeepAlive = idlePing
	o.ConnWriteTimeout = idlePing
	o.ReadBufferEachConn = bufferSize
	o.WriteBufferEachConn = bufferSize
	if !o.ForceSingleClient {
		o.Sentinel.TopologyRefreshInterval = probeEvery // an event of Sentinel's may be missed
	}
}

const (
	// idlePing is how often an idle connection is pinged. It is rare, because probes find
	// silent servers.
	idlePing = 10 * time.Second
	// bufferSize is the size of the two buffers of a connection.
	bufferSize = 64 << 10
)

// cut closes all connections of the client.
func (c *commands) cut() {
	c.conns.cut()
	if c.Client != nil {
		c.Close()
	}
}
