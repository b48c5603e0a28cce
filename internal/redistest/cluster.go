package redistest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ClusterOptions are what StartCluster starts. The zero value is three masters with a replica
// each.
type ClusterOptions struct {
	// Server are the options of all nodes. ReplicaOf and Password are not used. With TLS, all nodes
	// have one certificate, and talk to each other with it too.
	Server Options
	// Masters is how many nodes have slots. The default is 3.
	Masters int
	// Replicas is how many replicas each master has. The default is 1, and -1 means none.
	Replicas int
	// NodeTimeout is after how many milliseconds without an answer nodes believe that another
	// one is down. The default is 2000.
	NodeTimeout int
}

// Cluster is a Redis Cluster.
type Cluster struct {
	// Servers are the nodes. The masters are the first ones at the start.
	Servers []*Server
}

// Slots is how many slots a cluster has.
const Slots = 16384

// NewCluster starts a cluster for a test, which closes it. If the test fails, it shows what the
// nodes have logged.
func NewCluster(tb testing.TB, o ClusterOptions) *Cluster {
	tb.Helper()
	c, err := StartCluster(o)
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range c.Servers {
		closeWith(tb, s)
	}
	return c
}

// StartCluster starts a cluster and returns when all nodes say that it is whole. The caller must
// Close it.
func StartCluster(o ClusterOptions) (*Cluster, error) {
	if o.Masters == 0 {
		o.Masters = 3
	}
	switch {
	case o.Replicas == 0:
		o.Replicas = 1
	case o.Replicas < 0:
		o.Replicas = 0
	}
	if o.NodeTimeout == 0 {
		o.NodeTimeout = 2000
	}
	c := &Cluster{Servers: make([]*Server, o.Masters*(1+o.Replicas))}
	err := c.startAll(o)
	if err == nil {
		err = c.join(o.Masters)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// startAll starts the nodes, which do not know each other.
func (c *Cluster) startAll(o ClusterOptions) error {
	so := o.Server
	so.ReplicaOf, so.Password, so.cluster = nil, "", true
	if so.TLS {
		var err error
		if so.pair, err = newCertificate(cmp.Or(so.Host, defaultHost)); err != nil {
			return err
		}
	}
	so.Config = append([]string{"cluster-node-timeout " + strconv.Itoa(o.NodeTimeout)}, so.Config...)
	errs := make([]error, len(c.Servers))
	var all sync.WaitGroup
	for i := range c.Servers {
		all.Go(func() { c.Servers[i], errs[i] = Start(so) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// join makes the nodes a cluster.
func (c *Cluster) join(masters int) error {
	ctx, first := context.Background(), c.Servers[0]
	for i, s := range c.Servers {
		commands := [][]string{{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)}}
		if i < masters {
			from, to := i*Slots/masters, (i+1)*Slots/masters-1
			commands = append(commands, []string{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)})
		}
		if i > 0 {
			meet := []string{"CLUSTER", "MEET", first.options.Host, strconv.Itoa(first.port), strconv.Itoa(first.busPort)}
			commands = append(commands, meet)
		}
		for _, command := range commands {
			if _, err := s.Do(ctx, command...); err != nil {
				return err
			}
		}
	}
	for _, s := range c.Servers {
		if err := c.awaitNodes(ctx, s); err != nil {
			return err
		}
	}
	for i, s := range c.Servers[masters:] {
		id, err := c.Servers[i%masters].Do(ctx, "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		if _, err := s.Do(ctx, "CLUSTER", "REPLICATE", Text(id)); err != nil {
			return err
		}
	}
	return c.awaitWhole(ctx, len(c.Servers)/masters)
}

// awaitNodes waits until s knows all nodes, and none is about to be known.
func (c *Cluster) awaitNodes(ctx context.Context, s *Server) error {
	return s.Wait(ctx, "it knows all nodes", func(do Do) bool {
		lines := strings.Split(strings.TrimSpace(Text(do("CLUSTER", "NODES"))), "\n")
		return len(lines) == len(c.Servers) && !strings.Contains(strings.Join(lines, "\n"), "handshake")
	})
}

// awaitWhole waits until all nodes say that the cluster is whole, and know this many nodes for
// each slot, and until replicas have the data of their masters.
func (c *Cluster) awaitWhole(ctx context.Context, nodes int) error {
	for _, s := range c.Servers {
		err := s.Wait(ctx, "the cluster is whole", func(do Do) bool {
			ranges, ok := do("CLUSTER", "SLOTS").([]any)
			for _, r := range ranges {
				entry, isList := r.([]any)
				ok = ok && isList && len(entry) == 2+nodes
			}
			role, isList := do("ROLE").([]any)
			if isList && len(role) > 3 && role[0] == "slave" && role[3] != "connected" {
				return false
			}
			return ok && strings.Contains(Text(do("CLUSTER", "INFO")), "cluster_state:ok")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// AwaitWhole waits until all nodes say that the cluster is whole.
func (c *Cluster) AwaitWhole(ctx context.Context) error {
	for _, s := range c.Servers {
		err := s.Wait(ctx, "the cluster is whole", func(do Do) bool {
			return strings.Contains(Text(do("CLUSTER", "INFO")), "cluster_state:ok")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// URL returns the URL of the cluster: redis+cluster://, or rediss+cluster:// with TLS, and the
// addresses of all nodes.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		addrs[i] = s.Addr()
	}
	scheme := "redis"
	if c.Servers[0].options.TLS {
		scheme = "rediss"
	}
	return scheme + "+cluster://" + strings.Join(addrs, ",")
}

// TLSConfig returns what a client needs that connects to a cluster with TLS.
func (c *Cluster) TLSConfig() *tls.Config { return c.Servers[0].TLSConfig() }

// Master returns the node that is the master of a slot, as most nodes that answer say.
func (c *Cluster) Master(ctx context.Context, slot int) (*Server, error) {
	votes := make(map[string]int)
	best := ""
	for _, s := range c.Servers {
		ranges, err := s.slots(ctx)
		if err != nil {
			continue
		}
		if addr := masterOf(ranges, slot); addr != "" {
			votes[addr]++
			if votes[addr] > votes[best] {
				best = addr
			}
		}
	}
	for _, s := range c.Servers {
		if s.Addr() == best {
			return s, nil
		}
	}
	return nil, fmt.Errorf("wye: redistest: the nodes say that the master of slot %d is %q, which is none of them", slot, best)
}

// slots returns what a node says about slots, unless it is frozen.
func (s *Server) slots(ctx context.Context) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return s.Do(ctx, "CLUSTER", "SLOTS")
}

// masterOf returns the address of the master of a slot in a reply to CLUSTER SLOTS.
func masterOf(ranges any, slot int) string {
	list, ok := ranges.([]any)
	if !ok {
		return ""
	}
	for _, r := range list {
		entry, ok := r.([]any)
		if !ok || len(entry) < 3 {
			continue
		}
		first, ok1 := entry[0].(int64)
		last, ok2 := entry[1].(int64)
		node, ok3 := entry[2].([]any)
		if ok1 && ok2 && ok3 && len(node) > 1 && first <= int64(slot) && int64(slot) <= last {
			return net.JoinHostPort(Text(node[0]), Text(node[1]))
		}
	}
	return ""
}

// NewMaster waits until another node than old is the master of a slot and says so itself.
func (c *Cluster) NewMaster(ctx context.Context, slot int, old *Server) (*Server, error) {
	var master *Server
	for _, s := range c.Servers {
		if s.PID() == 0 || s == old {
			continue
		}
		err := s.Wait(ctx, fmt.Sprintf("slot %d has another master than %s", slot, old.Addr()), func(Do) bool {
			m, err := c.Master(ctx, slot)
			if err != nil || m == old {
				return false
			}
			own, err := m.slots(ctx)
			master = m
			return err == nil && masterOf(own, slot) == m.Addr()
		})
		return master, err
	}
	return nil, errors.New("wye: redistest: no other node runs")
}

// Move moves a slot and its keys to another master, while clients use it.
func (c *Cluster) Move(ctx context.Context, slot int, to *Server) error {
	from, err := c.Master(ctx, slot)
	if err != nil || from == to {
		return err
	}
	source, err1 := from.Do(ctx, "CLUSTER", "MYID")
	target, err2 := to.Do(ctx, "CLUSTER", "MYID")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	n := strconv.Itoa(slot)
	if _, err := to.Do(ctx, "CLUSTER", "SETSLOT", n, "IMPORTING", Text(source)); err != nil {
		return err
	}
	if _, err := from.Do(ctx, "CLUSTER", "SETSLOT", n, "MIGRATING", Text(target)); err != nil {
		return err
	}
	if err := moveKeys(ctx, n, from, to); err != nil {
		return err
	}
	for _, s := range append([]*Server{to, from}, c.Servers...) {
		// Replicas refuse it, and learn it from the masters.
		if _, err := s.Do(ctx, "CLUSTER", "SETSLOT", n, "NODE", Text(target)); err != nil && (s == to || s == from) {
			return err
		}
	}
	return nil
}

// moveKeys moves all keys of a slot.
func moveKeys(ctx context.Context, slot string, from, to *Server) error {
	for {
		keys, err := from.Do(ctx, "CLUSTER", "GETKEYSINSLOT", slot, "100")
		if err != nil {
			return err
		}
		list, ok := keys.([]any)
		if !ok || len(list) == 0 {
			return nil
		}
		command := []string{"MIGRATE", to.options.Host, strconv.Itoa(to.port), "", "0", "5000", "AUTH2", admin, admin, "KEYS"}
		for _, key := range list {
			command = append(command, Text(key))
		}
		if _, err := from.Do(ctx, command...); err != nil {
			return err
		}
	}
}

// Close kills all nodes and removes their files.
func (c *Cluster) Close() {
	for _, s := range c.Servers {
		if s != nil {
			s.Close()
		}
	}
}
