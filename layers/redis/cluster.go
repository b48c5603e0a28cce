package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// partition is a part of the groups in a cluster. It is one slot: all its keys have the same hash
// tag. The driver has a server for each, which is the master that has the slot now. When the slot
// has moved, or another node has become the master, the server is connected to anew.
type partition struct {
	cluster *cluster
	slot    uint16
	tag     string
}

const (
	slots             = 16384
	defaultPartitions = 16
	maxPartitions     = 1024
)

// checkCluster checks the options that are about a cluster.
func (s *settings) checkCluster(addresses []*address) {
	isCluster := false
	for i, a := range addresses {
		if a == nil || !a.cluster {
			continue
		}
		isCluster = true
		if len(addresses) > 1 {
			s.notef("URLs[%d] (%s) names a cluster, and there are other URLs; name all its nodes in one URL, and no other server", i, a.name())
		}
	}
	if !isCluster {
		if s.Sharded {
			s.notef("Sharded is set, and no URL names a cluster; write redis+cluster://, or remove it")
		}
		if s.Partitions != 0 {
			s.notef("Partitions is set, and no URL names a cluster; write redis+cluster://, or remove it")
		}
		return
	}
	if s.Backend == Core {
		s.notef("Backend is redis.Core, which does not work with a cluster, as in channels_redis; use redis.PubSub")
	}
	if s.Partitions < 0 || s.Partitions > maxPartitions {
		s.notef("Partitions is %d; use 1 to %d, or 0 for the default of %d", s.Partitions, maxPartitions, defaultPartitions)
	}
	if strings.ContainsRune(s.Prefix, '{') {
		s.notef("Prefix is %q; write it without { because of the hash tags of a cluster", s.Prefix)
	}
}

// partitions returns the partitions of the cluster that a URL names.
func (s *settings) partitions(whole *target) []target {
	n := s.Partitions
	if n <= 0 || n > maxPartitions {
		n = defaultPartitions
	}
	c := &cluster{option: whole.option, lock: make(chan struct{}, 1)}
	tags := tagsOf(n)
	targets := make([]target, n)
	for i := range targets {
		p := &partition{c, slotOf(tags[i]), tags[i]}
		targets[i] = target{fmt.Sprintf("%s (partition %d, slot %d)", whole.name, i, p.slot), whole.option, p}
	}
	return targets
}

// tagsOf returns n hash tags. Their slots are spread evenly, so that each master has as many of
// them as it has slots.
func tagsOf(n int) []string {
	tags := make([]string, n)
	for i, found := 0, 0; found < n; i++ {
		tag := strconv.Itoa(i)
		if at := int(slotOf(tag)) * n / slots; tags[at] == "" {
			tags[at] = tag
			found++
		}
	}
	return tags
}

// slotOf returns the slot of keys with a hash tag.
func slotOf(tag string) uint16 {
	const polynomial = 0x1021
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ polynomial
			} else {
				crc <<= 1
			}
		}
	}
	return crc % slots
}

// isCluster reports whether the servers are the partitions of a cluster.
func (d *Driver) isCluster() bool { return d.settings.targets[0].part != nil }

// cluster knows which nodes have which slots.
type cluster struct {
	option rueidis.ClientOption
	lock   chan struct{} // holds an element while what follows is used
	known  []string      // nodes
	ranges []slotRange
	asked  time.Time // when ranges were true
}

// slotRange is which node is the master of slots.
type slotRange struct {
	first, last int64
	master      string
}

const (
	// askEvery is for how long all partitions use one answer of the cluster.
	askEvery = 100 * time.Millisecond
	// askTimeout is how long a node may take to answer.
	askTimeout = 2 * time.Second
)

// master returns the address of the master that has a slot.
func (c *cluster) master(ctx context.Context, slot uint16) (string, error) {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if time.Since(c.asked) >= askEvery {
		if err := c.ask(ctx); err != nil {
			return "", err
		}
	}
	for _, r := range c.ranges {
		if r.first <= int64(slot) && int64(slot) <= r.last {
			return r.master, nil
		}
	}
	return "", refusal(fmt.Sprintf("no node of the cluster has slot %d; see CLUSTER INFO", slot))
}

// answer is what a node has answered.
type answer struct {
	nodes  []string
	ranges []slotRange
	err    error
}

// ask asks all nodes at the same time, and uses the first answer.
func (c *cluster) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.option.InitAddress, c.known))))
	answers := make(chan answer, len(all))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	for _, node := range all {
		asking.Go(func() { answers <- c.askNode(ctx, node) })
	}
	errs := make([]error, 0, len(all))
	for range all {
		a := <-answers
		if a.err == nil {
			c.known, c.ranges, c.asked = a.nodes, a.ranges, time.Now()
			return nil
		}
		errs = append(errs, a.err)
	}
	return errors.Join(errs...)
}

// askNode asks one node.
func (c *cluster) askNode(ctx context.Context, node string) answer {
	o := c.option
	o.InitAddress = []string{node}
	n := newConns(ctx, &o)
	defer n.cut()
	o.DialCtxFn = n.dial
	setDefaults(&o, "wye-cluster")
	client, err := rueidis.NewClient(o)
	if err != nil {
		return answer{err: fmt.Errorf("%s: %w", node, err)}
	}
	defer client.Close()
	reply, err := client.Do(ctx, client.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		if r, ok := rueidis.IsRedisErr(err); ok && strings.Contains(r.Error(), "cluster support disabled") {
			err = refusal("it is not part of a Redis Cluster; write redis://HOST:PORT")
		}
		return answer{err: fmt.Errorf("%s: %w", node, err)}
	}
	a := parseClusterSlots(reply, node)
	if len(a.ranges) == 0 {
		a.err = refusal(node + " knows no node that has slots; see CLUSTER INFO")
	}
	return a
}

// parseClusterSlots parses the reply of CLUSTER SLOTS of a node.
func parseClusterSlots(reply []rueidis.RedisMessage, node string) (a answer) {
	for i := range reply {
		entry, err := reply[i].ToArray()
		if err != nil || len(entry) < 3 {
			continue
		}
		nodes := make([]string, 0, len(entry)-2)
		for j := range entry[2:] {
			nodes = append(nodes, parseNode(entry[2+j], node))
		}
		first, err1 := entry[0].AsInt64()
		last, err2 := entry[1].AsInt64()
		if err1 == nil && err2 == nil && nodes[0] != "" {
			a.ranges = append(a.ranges, slotRange{first, last, nodes[0]})
		}
		for _, n := range nodes {
			if n != "" && !slices.Contains(a.nodes, n) {
				a.nodes = append(a.nodes, n)
			}
		}
	}
	return a
}

// parseNode returns the address of a node, or "" if the cluster does not know it. A node without
// a host has that of the node that was asked.
func parseNode(m rueidis.RedisMessage, asked string) string {
	fields, err := m.ToArray()
	if err != nil || len(fields) < 2 {
		return ""
	}
	port, err := fields[1].AsInt64()
	host := text(fields[0])
	if err != nil || host == "?" {
		return ""
	}
	if host == "" {
		if host, _, err = net.SplitHostPort(asked); err != nil {
			return ""
		}
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}
