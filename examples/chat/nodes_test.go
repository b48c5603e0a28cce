package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
)

// startNodes starts nodes of a chat in this process. Their layer is a broker with faults on
// demand. db is their database of PostgreSQL; "" means that each has a file of its own, for
// tests in a synctest bubble that store nothing.
func startNodes(t *testing.T, db string, count int) (*layertest.Broker, []*chat) {
	t.Helper()
	b := layertest.NewBroker(nil)
	t.Cleanup(b.Close)
	nodes := make([]*chat, count)
	for i := range nodes {
		l, err := layers.Open(t.Context(), b.Node())
		if err != nil {
			t.Fatal(err)
		}
		name := db
		if name == "" {
			name = filepath.Join(t.TempDir(), "chat.db")
		}
		c, err := newChat(t.Context(), name, l)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes[i] = c
	}
	return b, nodes
}

// until waits until v gets an answer that ok accepts.
func (v *visitor) until(ok func(g got) bool) got {
	v.t.Helper()
	for {
		if g := v.next(); ok(g) {
			return g
		}
	}
}

// TestNodes: people on three nodes are in one room.
func TestNodes(t *testing.T) {
	t.Parallel()
	_, nodes := startNodes(t, newDatabase(t), 3)
	ann, bob := enter(t, nodes[0], "Ann", "/ws/123/"), enter(t, nodes[1], "Bob", "/ws/123/")
	eve := enter(t, nodes[2], "Eve", "/ws/123/")
	if want := []Person{person("Ann"), person("Bob"), person("Eve")}; !slices.Equal(eve.welcome.People, want) {
		t.Errorf("Eve sees %v, want %v", eve.welcome.People, want)
	}
	ann.wantNews("join", "Bob")
	ann.wantNews("join", "Eve")
	bob.wantNews("join", "Eve")

	for i := range 3 {
		text := fmt.Sprint("hello ", i)
		ann.SendJSON(request{Type: "say", Text: text, Tag: fmt.Sprint("t", i)})
		for _, v := range []*visitor{ann, bob, eve} {
			v.wantSaid("Ann", text)
		}
	}
	bob.tell("Ann", "psst")
	bob.wantSaid("Bob", "psst")
	if m := ann.wantSaid("Bob", "psst"); m.Seq != 4 || m.To == nil {
		t.Errorf("Ann got %+v, want a direct message in place 4", m)
	}

	// Ann's connection is lost; she comes back on another node and repeats her last line.
	ann.Vanish()
	eve.wantNews("leave", "Ann")
	bob.wantNews("leave", "Ann")
	again := enter(t, nodes[1], "Ann", "/ws/123/?after=2")
	if got := texts(again.welcome.Messages); again.welcome.Fresh || fmt.Sprint(got) != "[hello 2 psst]" {
		t.Errorf("Ann missed %q, want the last two", got)
	}
	again.SendJSON(request{Type: "say", Text: "hello 2", Tag: "t2"})
	again.wantSaid("Ann", "hello 2")
	eve.wantNews("join", "Ann")
	again.say("nothing twice")
	eve.wantSaid("Ann", "nothing twice")
	if all := everything(t, nodes[2].store, "123"); len(all) != 4 {
		t.Errorf("stored are %+v, want four for everyone", all)
	}
}

// TestNamesOfAllNodes: a name that was given on one node is taken on the others, where its
// cookie is valid too.
func TestNamesOfAllNodes(t *testing.T) {
	t.Parallel()
	_, nodes := startNodes(t, newDatabase(t), 2)
	ask := func(c *chat, method, body, cookie string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, "/me", strings.NewReader(body))
		r.Header.Set("Cookie", cookie)
		c.page().ServeHTTP(w, r)
		return w
	}
	given := ask(nodes[0], http.MethodPost, name("Ian"), "")
	if given.Code != http.StatusOK {
		t.Fatalf("got %d %s", given.Code, given.Body)
	}
	if w := ask(nodes[1], http.MethodPost, name("lan"), ""); w.Code != http.StatusConflict {
		t.Errorf("a name that looks like it: got %d %s, want 409", w.Code, w.Body)
	}
	cookie, _, _ := strings.Cut(given.Header().Get("Set-Cookie"), ";")
	if w := ask(nodes[1], http.MethodGet, "", cookie); w.Code != http.StatusOK || w.Body.String() != given.Body.String() {
		t.Errorf("with the cookie: got %d %s, want %s", w.Code, w.Body, given.Body)
	}
}

// TestConnectionsOfAllNodes: the limits on connections are for all nodes together.
func TestConnectionsOfAllNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, nodes := startNodes(t, "", 2)
		cookie := cookieOf(t, nodes[0], "Eve")
		nodes[1].people.cookie = nodes[0].people.cookie // as with one database
		first := come(t, nodes[0], cookie, "/ws/123/", 0)
		wantIn(t, first)
		for i := 1; i < personSlots.connections; i++ {
			wantIn(t, come(t, nodes[i%2], cookie, fmt.Sprintf("/ws/room-%d/", i), i))
		}
		for _, c := range nodes {
			wantOut(t, come(t, c, cookie, "/ws/123/", 10), errManyTabs)
		}
		first.Close(consumer.CloseNormal, "")
		first.WantOver()
		wantIn(t, come(t, nodes[1], cookie, "/ws/123/", 10))

		// The connections of a node that dies count until its lease has ended.
		dying := b.Node()
		third, err := layers.Open(t.Context(), dying)
		if err != nil {
			t.Fatal(err)
		}
		for i := range addressSlots.room {
			id := fmt.Sprint("on-third-", i)
			p := layers.Presence{ID: id, Key: "456"}
			if err := third.Enter(t.Context(), countGroup("address", address("203.0.113.1:1").String()), p); err != nil {
				t.Fatal(err)
			}
		}
		wantOut(t, comeFrom(t, nodes[0], "203.0.113.1:99", "/ws/456/"), errManyNearRoom)
		b.Kill(dying)
		<-time.After(11 * time.Second)
		wantIn(t, comeFrom(t, nodes[0], "203.0.113.1:99", "/ws/456/"))
	})
}

// TestRatesOfAllNodes: what a person says on one node counts on the others.
func TestRatesOfAllNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, nodes := startNodes(t, "", 2)
		nodes[1].people.cookie = nodes[0].people.cookie
		here, there := enter(t, nodes[0], "Ann", "/ws/123/"), enter(t, nodes[1], "Ann", "/ws/456/")
		for i := range 5 {
			here.say(fmt.Sprint(i))
			here.wantSaid("Ann", fmt.Sprint(i))
		}
		<-time.After(spentEvery)
		synctest.Wait()
		there.say("more")
		if no := there.wantRefused("slow"); no.Retry < 800 || no.Retry > 1001 {
			t.Errorf("she may say more in %d ms, want a second after the last on the other node", no.Retry)
		}
		<-time.After(time.Second)
		there.say("more")
		there.wantSaid("Ann", "more")

		// Without the layer, each node limits its own clients.
		b.Stop()
		<-time.After(10 * time.Second)
		here.say("again")
		here.until(func(g got) bool { return g.Type == "message" && g.Text == "again" })
		b.Start()
	})
}

// TestRecheck: a message whose node told no one is shown by the others soon.
func TestRecheck(t *testing.T) {
	t.Parallel()
	b, nodes := startNodes(t, newDatabase(t), 2)
	ann, bob := enter(t, nodes[0], "Ann", "/ws/123/"), enter(t, nodes[1], "Bob", "/ws/123/")
	ann.wantNews("join", "Bob")
	dying := startWriter(nodes[0].store.database, nodes[0].store.writes, func(string, Message) {})
	if _, err := dying.add(t.Context(), "123", Message{From: person("Eve"), Text: "last words"}); err != nil {
		t.Fatal(err)
	}
	dying.stop()
	for _, v := range []*visitor{ann, bob} {
		v.wantSaid("Eve", "last words")
	}

	// The layer is down: each node shows what the other has stored.
	b.Stop()
	ann.say("is it there?")
	for _, v := range []*visitor{ann, bob} {
		g := v.until(func(g got) bool { return g.Type == "message" || g.Type == "welcome" })
		if g.Type == "welcome" && (len(g.Messages) != 1 || g.Messages[0].Text != "is it there?" || g.People != nil) || g.Type == "message" && g.Text != "is it there?" {
			t.Errorf("%s got %+v", v.welcome.You.Name, g)
		}
	}
	eve := come(t, nodes[1], cookieOf(t, nodes[1], "Eve"), "/ws/123/", 1)
	wantOut(t, eve, errApart)

	b.Start()
	for _, v := range []*visitor{ann, bob} {
		g := v.until(func(g got) bool { return g.Type == "welcome" && g.People != nil })
		if want := []Person{person("Ann"), person("Bob")}; !slices.Equal(g.People, want) {
			t.Errorf("%s sees %v, want %v", v.welcome.You.Name, g.People, want)
		}
	}
	bob.say("all is well")
	ann.wantSaid("Bob", "all is well")
}

// TestRefresh: some time after an outage, the members on a node read again who is here.
func TestRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, nodes := startNodes(t, "", 2)
		ann := enter(t, nodes[0], "Ann", "/ws/123/")
		b.Stop()
		b.Start()
		ann.want("welcome") // at once
		<-time.After(refreshAfter - time.Millisecond)
		ann.WantNothing()
		<-time.After(time.Millisecond)
		if g := ann.want("welcome"); !slices.Equal(g.People, []Person{person("Ann")}) {
			t.Errorf("after %v, Ann got %+v", refreshAfter, g)
		}
		ann.WantNothing()
	})
}
