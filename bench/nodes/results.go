package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/machine"
	"github.com/wye-go/wye/internal/redistest"
)

// results are those of all rounds.
type results struct {
	Conditions conditions     `json:"conditions"`
	Layer      []layerResult  `json:"layer"`
	Sockets    []socketResult `json:"sockets"`
	Groups     []groupResult  `json:"groups"`
	Stored     []storedResult `json:"stored"`
	Failures   []string       `json:"failures"`
	// Stopped means that there was no time for all rounds.
	Stopped bool `json:"stopped,omitempty"`
}

// conditions are what the results were measured on.
type conditions struct {
	Go       string            `json:"go"`
	System   string            `json:"system"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Commit   string            `json:"commit"`
	Load     string            `json:"load"` // of the machine before the run
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds"`
	Versions map[string]string `json:"versions"`
}

func newConditions(ctx context.Context, o *options) conditions {
	average, _ := os.ReadFile("/proc/loadavg") //nolint:errcheck // then it is not known
	first, _, _ := strings.Cut(string(average), " ")
	return conditions{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPU: machine.CPUModel(), Cores: runtime.NumCPU(),
		Commit: machine.Commit(ctx, o.dir), Load: first, Rounds: o.rounds, Seconds: o.duration.Seconds(), Versions: map[string]string{},
	}
}

func redisVersion(ctx context.Context, s *redistest.Server) string {
	info, err := s.Do(ctx, "INFO", "server")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(redistest.Text(info), "redis_version:")
	v, _, _ := strings.Cut(rest, "\r")
	return v
}

// layerResult is a run at the level of the layer.
type layerResult struct {
	System  string `json:"system"`
	Members int    `json:"members"`
	// Flood has as many messages as possible, Paced a number a second.
	Flood phase `json:"flood"`
	Paced phase `json:"paced"`
}

// phase is a load on a group.
type phase struct {
	Sends      float64 `json:"sends"` // a second
	Deliveries float64 `json:"deliveries"`
	// UserNs and SystemNs are the CPU time of both nodes per delivery, RedisNs that of
	// redis-server.
	UserNs   float64 `json:"user_ns"`
	SenderNs float64 `json:"sender_ns"` // of both, the part of the node that sends
	SystemNs float64 `json:"system_ns"`
	RedisNs  float64 `json:"redis_ns"`
	P50us    float64 `json:"p50_us"`
	P99us    float64 `json:"p99_us"`
	// Behind means that the nodes could not send as many messages as they should.
	Behind bool `json:"behind,omitempty"`
}

func (ph phase) nodesNs() float64 { return ph.UserNs + ph.SystemNs }

func (r layerResult) String() string { return fmt.Sprintf("flood %v; paced %v", r.Flood, r.Paced) }

func (ph phase) String() string {
	return fmt.Sprintf("%.0f sends/s, %.0f deliveries/s, %.0f+%.0f ns (sender %.0f), redis %.0f ns, p50 %.0f us, p99 %.0f us",
		ph.Sends, ph.Deliveries, ph.UserNs, ph.SystemNs, ph.SenderNs, ph.RedisNs, ph.P50us, ph.P99us)
}

// socketResult is a run through sockets.
type socketResult struct {
	load.Result

	System string `json:"system"`
}

// nodesNs is the CPU time of all nodes per delivery; redis-server is the last process.
func (r *socketResult) nodesNs() float64 {
	ns := r.Server.TotalNs
	for _, c := range r.Others[:len(r.Others)-1] {
		ns += c.TotalNs
	}
	return ns
}

func (r *socketResult) redisNs() float64 { return r.Others[len(r.Others)-1].TotalNs }

// groupResult is about many groups on one node.
type groupResult struct {
	Groups       int     `json:"groups"`
	JoinSeconds  float64 `json:"join_seconds"`
	HeapPerGroup float64 `json:"heap_per_group"`
	RSSPerGroup  float64 `json:"rss_per_group"`
	RedisPer     float64 `json:"redis_per_group"`
	// WholeSeconds is the time from when the server accepts again to when the last group
	// has received, SendSeconds to when the other node's sends succeed.
	WholeSeconds  float64 `json:"whole_seconds"`
	SendSeconds   float64 `json:"send_seconds"`
	Members       int     `json:"members"`
	Subscriptions int64   `json:"subscriptions"` // to a group with so many members
	MembersJoin   float64 `json:"members_join_seconds"`
}

func loadResults(file string) (*results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r results
	return &r, json.Unmarshal(b, &r)
}

func (r *results) save(file string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o600)
}
