package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// badGateway is the browser's console line for a request while no node accepts.
var badGateway = regexp.MustCompile(`^error: Failed to load resource: the server responded with a status of 50[24] `)

// signal sends a signal to a process of the cluster.
func (c *clusterProcess) signal(t *testing.T, name string, s os.Signal) {
	t.Helper()
	p, err := os.FindProcess(c.part(name).pid)
	if err == nil {
		err = p.Signal(s)
	}
	if err != nil {
		t.Fatalf("%v to %s: %v", s, name, err)
	}
}

// missing reports whether a process that had one of these IDs does not run again yet.
func (c *clusterProcess) missing(old map[string]int) bool {
	for name, pid := range old {
		if c.part(name).pid == pid {
			return true
		}
	}
	return false
}

// startNodes starts three nodes with this test binary as the chat, and nginx in front.
func (s *stage) startNodes() *clusterProcess {
	s.t.Helper()
	servers.need(s.t)
	c, err := startCluster(servers.program, "open ", "-chat", os.Args[0], "-durable=false")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		c.stop()
		if s.t.Failed() {
			s.t.Logf("the cluster wrote:\n%s\n%s", strings.Join(c.lines, "\n"), c.errs.String())
		}
	})
	s.addr = mustParse(s.t, c.part("nginx").url).Host
	return c
}

// playNodes: people on three nodes behind nginx write all the time, while one node is
// killed, one is stopped, and Redis is restarted.
func playNodes(s *stage) {
	s.known = append(s.known, badGateway)
	s.known = append(s.known, unreachable...)
	c := s.startNodes()
	var people []*tab
	for _, who := range []string{"Ann", "Bob", "Eve", "Joe"} {
		people = append(people, s.person(who, "123"))
	}
	// A guest on the first node, who does not come back.
	websockettest.Dial(s.t, "ws://"+mustParse(s.t, c.part("node-1").url).Host+"/ws/123/", nil)
	for _, p := range people {
		p.want("five people", `$("#people-count").textContent === "5"`)
	}

	var want []string
	for _, fault := range [][]struct {
		name   string
		signal os.Signal
	}{
		{{"node-1", syscall.SIGKILL}},
		{{"node-2", syscall.SIGTERM}},
		{{"redis", syscall.SIGTERM}},
		{{"redis", syscall.SIGKILL}, {"node-3", syscall.SIGKILL}},
	} {
		old := make(map[string]int)
		for _, f := range fault {
			old[f.name] = c.part(f.name).pid
			c.signal(s.t, f.name, f.signal)
		}
		for rounds := 0; rounds < 3 || c.missing(old); rounds++ {
			for _, p := range people {
				text := fmt.Sprintf("%s %03d", p.who, len(want))
				want = append(want, text)
				p.say(text)
			}
			<-time.After(time.Second / 2) // people may say one line a second, and some at once
			if rounds == 100 {
				s.t.Fatalf("of %v, not all have come back", fault)
			}
		}
	}
	s.wantEverywhere(c, people, want)
	for _, p := range people {
		p.want("four people", `$("#people-count").textContent === "4"`)
	}
}

// wantEverywhere waits until all people are connected and have all lines, and checks that
// they are those that are stored, in their order.
func (s *stage) wantEverywhere(c *clusterProcess, people []*tab, want []string) {
	s.t.Helper()
	for _, p := range people {
		p.wantState("open")
		p.want("nothing to wait", `$("#log li.pending") === null`)
		p.want("all lines", fmt.Sprintf(`$$("#log li.message[data-seq]").length === %d`, len(want)))
	}
	db := openWith(s.t, databaseOf(c.part("postgres").url, true), nil)
	stored := everything(s.t, db, "123")
	var all []string
	for i, m := range stored {
		if m.Seq != int64(i+1) {
			s.t.Errorf("line %d is in place %d", i+1, m.Seq)
		}
		all = append(all, m.Text)
	}
	for _, p := range people {
		if got := look[[]string](p, `texts("#log li.message .text")`); !slices.Equal(got, all) {
			s.t.Errorf("%s has %q\nand stored is %q", p.who, got, all)
		}
		own := slices.DeleteFunc(slices.Clone(all), func(text string) bool { return !strings.HasPrefix(text, p.who) })
		if !slices.IsSorted(own) {
			s.t.Errorf("%s has written %q", p.who, own)
		}
	}
	slices.Sort(all)
	slices.Sort(want)
	if !slices.Equal(all, want) {
		s.t.Errorf("stored is %q\nand written was %q", all, want)
	}
}
