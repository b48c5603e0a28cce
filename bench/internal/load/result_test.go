package load

import (
	"testing"
	"time"
)

func TestCost(t *testing.T) {
	before := usage{cpu: time.Second, waiting: time.Second, userTicks: 10, sysTicks: 20}
	after := usage{cpu: 2 * time.Second, waiting: 3 * time.Second, userTicks: 40, sysTicks: 90}
	got := cost(after.since(before), 4, 1000)
	want := Cost{UserNs: 300_000, SysNs: 700_000, TotalNs: 1_000_000, Cores: 0.25, Waiting: 0.5}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := cost(after.since(before), 4, 0); got.TotalNs != 0 || got.Cores != 0.25 {
		t.Errorf("without messages: %+v", got)
	}
}

func TestClientBound(t *testing.T) {
	for _, test := range []struct {
		client Cost
		server *Server
		want   bool
	}{
		{Cost{Cores: 0.5}, nil, false},
		{Cost{Cores: 0.95}, nil, true},
		{Cost{Cores: 0.95}, &Server{Cost: Cost{Cores: 0.5}}, true},
		{Cost{Cores: 0.5, Waiting: 0.5}, &Server{Cost: Cost{Cores: 0.5}}, true},
		{Cost{Cores: 0.95}, &Server{Cost: Cost{Cores: 0.95}}, false},
	} {
		if got := clientBound(test.client, test.server); got != test.want {
			t.Errorf("client %+v, server %+v: got %v", test.client, test.server, got)
		}
	}
}
