package redis_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// TestClusterTLS has nodes on a cluster that only speaks TLS. They learn the addresses of two of
// its three nodes from the first one.
func TestClusterTLS(t *testing.T) {
	t.Parallel()
	c := redistest.NewCluster(t, redistest.ClusterOptions{Replicas: -1, Server: redistest.Options{TLS: true}})
	first, _, _ := strings.Cut(c.URL(), ",")
	for _, sharded := range []bool{false, true} {
		o := redis.Options{URLs: []string{first}, TLS: c.TLSConfig(), Sharded: sharded, Partitions: 6, Prefix: fmt.Sprint("tls-", sharded)}
		here, there := openLayer(t, o), openLayer(t, o)
		m := watch(t, there)
		wantSent(t, testkit.Here(), here.GroupSend(t.Context(), "room", said.New(text{"hi"})))
		m.next(t)
		record(t, here, "room", "a", layers.Retention{})
		m.next(t)
		enter(t, here, "1", "ann")
		m.wantVisits(t, testkit.Here(), "+ann")
		for i := range 10 { // on all nodes
			channel := strings.Repeat("x", i+1)
			wantSent(t, testkit.Here(), here.Send(t.Context(), channel, event("x", fields{"i": i})))
			wantPulls(t, testkit.Here(), there, channel, describe(event("x", fields{"i": int64(i)})))
		}
	}
	for _, row := range []struct {
		at   testkit.Line
		tls  *tls.Config
		want string
	}{
		{testkit.Here(), nil, "certificate"},
		{testkit.Here(), &tls.Config{RootCAs: c.TLSConfig().RootCAs, ServerName: "elsewhere"}, "certificate is valid for"},
	} {
		_, err := layers.Open(t.Context(), redis.New(redis.Options{URLs: []string{first}, TLS: row.tls, Logger: quiet()}))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: the error is %v, want %q in it", row.at, err, row.want)
		}
	}
}
