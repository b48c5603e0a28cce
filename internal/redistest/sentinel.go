package redistest

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// SentinelOptions are what StartSentinel starts. The zero value is a master with two
// replicas and three Sentinels.
type SentinelOptions struct {
	// Server are the options of the master and of its replicas. TLS and ReplicaOf are not
	// used.
	Server Options
	// Replicas is how many replicas the master has. The default is 2.
	Replicas int
	// Name is the name of the master. The default is "mymaster".
	Name string
	// DownAfter is after how many milliseconds without an answer Sentinel believes that a
	// server is down. The default is 500.
	DownAfter int
}

// Sentinel is a master, its replicas, and the Sentinels that watch them.
type Sentinel struct {
	// Name is the name of the master.
	Name string
	// Servers are the master and its replicas. The first was the master at the start.
	Servers []*Server
	// Sentinels are the processes that watch the servers.
	Sentinels []*Server
}

const sentinels = 3

// NewSentinel starts them for a test, which closes them. If the test fails, it shows
// what they have logged.
func NewSentinel(tb testing.TB, o SentinelOptions) *Sentinel {
	tb.Helper()
	st, err := StartSentinel(o)
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range st.all() {
		closeWith(tb, s)
	}
	return st
}

// StartSentinel starts them and returns when the Sentinels know all servers and each
// other. The caller must Close them.
func StartSentinel(o SentinelOptions) (*Sentinel, error) {
	if o.Replicas == 0 {
		o.Replicas = 2
	}
	if o.Name == "" {
		o.Name = "mymaster"
	}
	if o.DownAfter == 0 {
		o.DownAfter = 500
	}
	st := &Sentinel{Name: o.Name}
	if err := st.start(o); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func (st *Sentinel) start(o SentinelOptions) error {
	o.Server.TLS = false
	for i := range 1 + o.Replicas {
		so := o.Server
		so.ReplicaOf = nil
		if i > 0 {
			so.ReplicaOf = st.Servers[0]
		}
		s, err := Start(so)
		if err != nil {
			return err
		}
		st.Servers = append(st.Servers, s)
	}
	master := st.Servers[0]
	for range sentinels {
		s, err := Start(Options{Valkey: o.Server.Valkey, Host: o.Server.Host, Run: o.Server.Run, sentinel: []string{
			fmt.Sprintf("sentinel monitor %s %s %d 2", o.Name, master.options.Host, master.port),
			fmt.Sprintf("sentinel down-after-milliseconds %s %d", o.Name, o.DownAfter),
			fmt.Sprintf("sentinel failover-timeout %s %d", o.Name, 8*o.DownAfter),
			fmt.Sprintf("sentinel auth-user %s %s", o.Name, admin),
			fmt.Sprintf("sentinel auth-pass %s %s", o.Name, admin),
		}})
		if err != nil {
			return err
		}
		st.Sentinels = append(st.Sentinels, s)
	}
	for _, s := range st.Sentinels {
		err := s.Wait(context.Background(), "it knows all servers and Sentinels", func(do Do) bool {
			others, ok1 := do("SENTINEL", "SENTINELS", o.Name).([]any)
			replicas, ok2 := do("SENTINEL", "REPLICAS", o.Name).([]any)
			return ok1 && ok2 && len(others) == sentinels-1 && len(replicas) == o.Replicas
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (st *Sentinel) all() []*Server {
	return append(append([]*Server(nil), st.Servers...), st.Sentinels...)
}

// Addrs returns the addresses of the Sentinels.
func (st *Sentinel) Addrs() []string {
	addrs := make([]string, len(st.Sentinels))
	for i, s := range st.Sentinels {
		addrs[i] = s.Addr()
	}
	return addrs
}

// Master returns the server that the first Sentinel that answers believes to be the master.
// It returns an error if none answers, or if that is none of the servers.
func (st *Sentinel) Master(ctx context.Context) (*Server, error) {
	var v any
	var err error
	for _, s := range st.Sentinels {
		if v, err = s.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", st.Name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if addr, ok := v.([]any); ok && len(addr) == 2 {
		for _, s := range st.Servers {
			if s.Addr() == net.JoinHostPort(Text(addr[0]), Text(addr[1])) {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("wye: redistest: the Sentinels say that the master is %q, which is none of the servers", Text(v))
}

// Failover makes Sentinel replace a master that works by a replica. It returns the new
// master when that is one.
func (st *Sentinel) Failover(ctx context.Context) (*Server, error) {
	old, err := st.Master(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := st.Sentinels[0].Do(ctx, "SENTINEL", "FAILOVER", st.Name); err != nil {
		return nil, err
	}
	return st.NewMaster(ctx, old)
}

// NewMaster waits until the Sentinels say that another server than old is the master and that
// server says so as well.
func (st *Sentinel) NewMaster(ctx context.Context, old *Server) (*Server, error) {
	var master *Server
	what := "another server is the master than " + old.Addr()
	err := st.Sentinels[0].Wait(ctx, what, func(Do) bool {
		m, err := st.Master(ctx)
		if err != nil || m == old {
			return false
		}
		role, err := m.Do(ctx, "ROLE")
		list, ok := role.([]any)
		master = m
		return err == nil && ok && len(list) > 0 && list[0] == "master"
	})
	return master, err
}

// Close kills all processes and removes their files.
func (st *Sentinel) Close() {
	for _, s := range st.all() {
		s.Close()
	}
}
