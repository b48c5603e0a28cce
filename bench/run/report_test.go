package main

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/bench/internal/load"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{7, 1, 3}, 3},
	} {
		if got := median(test.in); got != test.want {
			t.Errorf("median of %v: got %v, want %v", test.in, got, test.want)
		}
	}
}

// TestRatio has one round in which the whole machine was slow.
func TestRatio(t *testing.T) {
	if got := ratio([]float64{11, 22, 12}, []float64{10, 20, 10}); got != "1.10" {
		t.Errorf("got %s, want 1.10", got)
	}
	for _, base := range [][]float64{nil, {1}, {1, 0, 1}} {
		if got := ratio([]float64{1, 2, 3}, base); got != "-" {
			t.Errorf("baseline %v: got %s, want -", base, got)
		}
	}
}

func TestReport(t *testing.T) {
	cost := func(user, sys float64) load.Result {
		return load.Result{Server: &load.Server{Cost: load.Cost{UserNs: user, SysNs: sys, TotalNs: user + sys}}}
	}
	all := results{
		{"echo", "floor"}:      {cost(100, 900), cost(200, 1800), cost(150, 950)},
		{"echo", "wye"}:        {cost(200, 1000), cost(400, 2000), cost(300, 1000)},
		{"handshake", "floor"}: {cost(0, 40_000)},
		{"handshake", "wye"}:   {cost(20_000, 60_000)},
		{"idle", "floor"}:      {{Conns: 10, Server: &load.Server{RSSPerConn: 200, HandshakeNs: 50_000}}},
		{"idle", "wye"}:        {{Conns: 10, Server: &load.Server{RSSPerConn: 600, HandshakeNs: 60_000}}},
	}
	svs, err := pick(servers, "floor,wye")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report(&out, all, svs, scenarios()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| echo D=1 | floor | 150 | 950 | 1100 | 1.00 | 91 % |",
		"| echo D=1 | wye | 300 | 1000 | 1300 | 1.20 | 92 % |",
		"| floor | 25000 | 40.0 | 1.00 | 0 % |",
		"| wye | 12500 | 80.0 | 2.00 | 0 % |",
		"| floor | 10 | 200 | 1.00 | 50.0 | 1.00 | 0.00 |",
		"| wye | 10 | 600 | 3.00 | 60.0 | 1.20 | 0.00 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "room 1000") {
		t.Errorf("a row without results in\n%s", out.String())
	}
}
