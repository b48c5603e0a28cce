package main

import (
	"fmt"
	"net/http"
	"net/netip"

	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol"
)

// from returns the application for connections from another address.
type from struct {
	consumer.Application

	addr string
}

func (f from) Open(s *consumer.Scope) (protocol.Handler, error) {
	return f.Application.Open(s.WithRemoteAddr(f.addr))
}

// come opens a connection from an address of its own.
func come(t *testing.T, c *chat, cookie, target string, n int) *consumertest.Client {
	t.Helper()
	o := &consumertest.Options{
		Limits: limits, Header: http.Header{},
		Subprotocols: []string{subprotocol}, Spoken: []string{subprotocol},
	}
	if cookie != "" {
		o.Header.Set("Cookie", cookie)
	}
	return consumertest.Connect(t, from{c.urls(), fmt.Sprintf("198.51.%d.%d:99", 100+n/200, n%200)}, target, o)
}

// comeFrom opens a guest's connection from an address.
func comeFrom(t *testing.T, c *chat, addr, target string) *consumertest.Client {
	t.Helper()
	o := &consumertest.Options{Limits: limits, Subprotocols: []string{subprotocol}, Spoken: []string{subprotocol}}
	return consumertest.Connect(t, from{c.urls(), addr}, target, o)
}

// wantIn fails the test if the connection has been closed.
func wantIn(t *testing.T, c *consumertest.Client) {
	t.Helper()
	if m := c.Message(); !strings.HasPrefix(m.Text(), `{"messages"`) && !strings.Contains(m.Text(), `"type":"welcome"`) {
		t.Fatalf("got %q, want the welcome", m.Data)
	}
}

// wantOut waits until the connection is closed with a reason.
func wantOut(t *testing.T, c *consumertest.Client, why error) {
	t.Helper()
	if closed := c.WantClose(consumer.CloseTryAgainLater); closed.Reason != why.Error() {
		t.Fatalf("closed because %q, want %q", closed.Reason, why)
	}
	c.WantOver()
}

// TestLimitsOfOnePerson: one cookie has ten connections, in any rooms and from any
// addresses.
func TestLimitsOfOnePerson(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at, name, room string
	}{
		{here(), "one room", "/ws/123/"},
		{here(), "rooms", "/ws/room-%d/"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := start(t)
				cookie := cookieOf(t, c, "Eve")
				room := func(n int) string {
					if strings.Contains(row.room, "%") {
						return fmt.Sprintf(row.room, n)
					}
					return row.room
				}
				first := come(t, c, cookie, room(0), 0)
				for i := 1; i < personSlots.connections; i++ {
					wantIn(t, come(t, c, cookie, room(i), i))
				}
				wantOut(t, come(t, c, cookie, room(10), 10), errManyTabs)
				wantIn(t, come(t, c, cookieOf(t, c, "Ann"), room(10), 11)) // others may still connect
				first.Close(consumer.CloseNormal, "")
				synctest.Wait()
				wantIn(t, come(t, c, cookie, room(10), 10))
			})
		})
	}
}

// TestLimitsOfOneAddress: guests are new people each time, so that they share the
// limits of their address.
func TestLimitsOfOneAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at, name, room string
		most           int
		why            error
	}{
		{here(), "one room", "/ws/123/", addressSlots.room, errManyNearRoom},
		{here(), "rooms", "/ws/room-%d/", addressSlots.rooms, errManyNearRooms},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := start(t)
				room := func(n int) string {
					if strings.Contains(row.room, "%") {
						return fmt.Sprintf(row.room, n)
					}
					return row.room
				}
				for i := range row.most {
					wantIn(t, come(t, c, "", room(i), 0))
				}
				wantOut(t, come(t, c, "", room(row.most), 0), row.why)
				wantIn(t, come(t, c, "", room(row.most), 1)) // from another address
			})
		})
	}
}

// TestFull: a client over a limit gets the reason, and can connect when others have
// left.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   string
		name string
		why  error
		fill func(p *slots)
	}{
		{here(), "people", errManyPeople, func(p *slots) { p.count += allSlots.connections - 1 }},
		{here(), "room", errFullRoom, func(p *slots) { p.in["456"] = allSlots.room }},
		{here(), "rooms", errManyRooms, func(p *slots) {
			for i := range allSlots.rooms - 1 {
				p.in[fmt.Sprint("full-", i)] = 1
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := start(t)
				ann := enter(t, c, "Ann", "/ws/123/")
				row.fill(&c.rooms.all.slots)
				wantOut(t, come(t, c, "", "/ws/456/", 1), row.why)
				ann.WantNothing()
				switch row.name {
				case "people":
					ann.leave()
				case "room":
					c.rooms.all.in["456"]--
				default:
					delete(c.rooms.all.in, "full-0")
				}
				enter(t, c, "Eve", "/ws/456/")
			})
		})
	}
}

// TestGuests: guests that connect without end reach a limit, which does not apply to
// named people.
func TestGuests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		c.rooms.all.guests.AllowN(time.Now(), guestsAtOnce-1) // the guests that have connected before
		wantIn(t, come(t, c, "", "/ws/123/", 1))
		wantOut(t, come(t, c, "", "/ws/123/", 2), errManyGuests)
		enter(t, c, "Ann", "/ws/123/")
		<-time.After(time.Second / guestsPerSecond)
		wantIn(t, come(t, c, "", "/ws/123/", 3))
	})
}

// TestRateOfConnections: each connection reads a page and sends notices, so its
// rate is limited.
func TestRateOfConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		cookie := cookieOf(t, c, "Eve")
		again := func(n int) *consumertest.Client { return come(t, c, cookie, "/ws/123/", n) }
		for i := range 20 {
			eve := again(i)
			wantIn(t, eve)
			eve.Vanish()
			eve.WantOver()
		}
		wantOut(t, again(20), errComesOften)
		<-time.After(time.Second)
		wantIn(t, again(21))

		near := c.rooms.addresses.use(address("203.0.113.1:1"))
		near.enters.AllowN(time.Now(), near.enters.Burst())
		o := &consumertest.Options{Limits: limits}
		wantOut(t, consumertest.Connect(t, from{c.urls(), "203.0.113.1:99"}, "/ws/123/", o), errComeOften)
	})
}

// TestPagesArePaced: a person who asks for older messages without end gets a page a
// second, and the time to wait. People at one address share a higher limit.
func TestPagesArePaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		fill(t, c, "123", "Eve", 60)
		ann, tab := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Ann", "/ws/123/")
		ask := request{Type: "older", Before: 11, Tag: "p1"}
		for range 5 {
			ann.SendJSON(ask)
			if page := ann.want("older"); len(page.Messages) != 10 {
				t.Fatalf("the page is %+v", page)
			}
		}
		ann.SendJSON(ask)
		if no := ann.wantRefused("pages"); no.Retry != 1001 || no.Tag != "p1" {
			t.Errorf("got %+v, want p1 to be asked for again in a second", no)
		}
		tab.SendJSON(ask) // a person has one limit for all tabs
		tab.wantRefused("pages")
		bob := enter(t, c, "Bob", "/ws/123/")
		bob.SendJSON(ask)
		bob.want("older")
		ann.wantNews("join", "Bob")
		<-time.After(1001 * time.Millisecond)
		ann.SendJSON(ask)
		ann.want("older")
		ann.say("and I can talk all the time")
		ann.wantSaid("Ann", "and I can talk all the time")

		near := c.rooms.addresses.use(ann.near())
		near.pages.AllowN(time.Now(), int(near.pages.Tokens()))
		<-time.After(100 * time.Millisecond)
		eve := enter(t, c, "Eve", "/ws/123/")
		eve.SendJSON(ask)
		no := eve.wantRefused("pages")
		if no.Retry < 1 || no.Retry > 101 {
			t.Errorf("Eve got %+v, want her to ask again in 100 ms", no)
		}
		<-time.After(time.Duration(no.Retry) * time.Millisecond)
		eve.SendJSON(ask)
		eve.want("older")
		c.rooms.all.pages.AllowN(time.Now(), int(c.rooms.all.pages.Tokens()))
		bob.SendJSON(ask)
		for g := bob.next(); g.Type != "refused"; g = bob.next() {
			if g.Type == "older" {
				t.Error("Bob got a page, and there are none left")
			}
		}
	})
}

// near is the address of the visitors.
func (*visitor) near() netip.Addr { return address("192.0.2.1:1") }

// TestPagesForSlowClients: a hundred guests that ask for older messages without
// reading them get no more than the limit of their address.
func TestPagesForSlowClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		for range 60 {
			add(t, c, "123", Message{From: person("Eve"), Text: strings.Repeat("<", maxText)})
		}
		guests := make([]*consumertest.Client, addressSlots.room)
		for i := range guests {
			guests[i] = come(t, c, "", "/ws/123/", 0)
		}
		for range 90 {
			for _, g := range guests {
				g.SendText(`{"type":"older","before":61}`)
			}
		}
		synctest.Wait()
		pages, size := 0, 0
		for _, g := range guests {
			for g.SendText(""); ; { // its answer comes after all others
				m := g.Message().Text()
				size += len(m)
				if strings.Contains(m, `"type":"older"`) {
					pages++
				}
				if strings.Contains(m, `"malformed"`) {
					break
				}
			}
		}
		if pages != 50 || size > 50*(pageBytes+8<<10)+addressSlots.room*(64<<10) {
			t.Errorf("%d pages were sent, and %d bytes in all; want the 50 of one address", pages, size)
		}
	})
}

// TestNewsForSlowClient: for a client that does not read, only the latest join or
// leave and typing notice of each person wait.
func TestNewsForSlowClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann := enter(t, c, "Ann", "/ws/123/")
		for range 15 {
			bob := enter(t, c, "Bob", "/ws/123/")
			bob.SendJSON(request{Type: "typing"})
			bob.leave()
			<-time.After(time.Second)
		}
		ann.wantNews("leave", "Bob")
		ann.wantNews("typing", "Bob")
		ann.WantNothing()
	})
}

// TestTextOfOneAddress: people at one address share a limit on the bytes they send. It
// does not apply to others.
func TestTextOfOneAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann := enter(t, c, "Ann", "/ws/123/")
		near := c.rooms.addresses.use(ann.near())
		near.text.AllowN(time.Now(), int(near.text.Tokens()))
		ann.say("hello")
		if no := ann.wantRefused("crowd"); no.Retry < 1 || no.Retry > 1000 {
			t.Errorf("got %+v", no)
		}
		eve := come(t, c, "", "/ws/123/", 1)
		wantIn(t, eve)
		ann.want("join")
		eve.SendJSON(request{Type: "say", Text: "I am elsewhere"})
		ann.want("message")
		<-time.After(time.Second)
		ann.say("hello")
		ann.wantSaid("Ann", "hello")
	})
}

// TestNothingIsLeft: connections that have closed or were refused leave nothing behind, except
// entries in the caches.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann, tab, bob := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Ann", "/ws/456/"), visit(t, c, "", "/ws/123/")
		cookie := cookieOf(t, c, "Eve")
		want := func(people, addresses, count, in int) {
			t.Helper()
			r := c.rooms
			got := [...]int{len(r.people.of), len(r.addresses.of), r.all.count, len(r.all.in)}
			if got != [...]int{people, addresses, count, in} {
				t.Errorf("there are %v people, addresses, connections and rooms, want %v", got, [...]int{people, addresses, count, in})
			}
		}
		want(2, 1, 3, 2)
		if _, err := c.store.writes.Exec(`ALTER TABLE messages RENAME TO lost`); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			eve := come(t, c, cookie, "/ws/789/", i)
			if closed := eve.WantClose(consumer.CloseTryAgainLater); !strings.Contains(closed.Reason, "cannot store or read") {
				t.Errorf("closed because %q", closed.Reason)
			}
			eve.WantOver()
		}
		want(3, 4, 3, 2)
		ann.leave()
		tab.Vanish()
		tab.WantOver()
		bob.Close(consumer.CloseNormal, "")
		bob.WantOver()
		want(3, 4, 0, 0)
		if there, err := c.layer.Present(t.Context(), "789"); err != nil || len(there) > 0 {
			t.Errorf("present are %v (%v)", there, err)
		}
		<-time.After(addressTTL)
		come(t, c, "", "/ws/123/", 4).WantOver()
		want(1, 1, 0, 0)
	})
}

// TestReconnectKeepsLimits: a reconnect does not reset the limits.
func TestReconnectKeepsLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		enter(t, c, "Ann", "/ws/123/").leave()
		<-time.After(personTTL - 100*time.Millisecond)
		ann := enter(t, c, "Ann", "/ws/123/")
		for range 5 {
			ann.say("hello")
			ann.wantSaid("Ann", "hello")
		}
		ann.leave()
		<-time.After(200 * time.Millisecond)
		ann = enter(t, c, "Ann", "/ws/123/")
		ann.say("hello again")
		ann.wantRefused("slow")
	})
}

// TestCache: values are kept while they are in use, some time longer, and up to a
// number.
func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made := 0
		m := newCache(time.Minute, func(int) int { made++; return made })
		want := func(key, value int) {
			t.Helper()
			if got := m.use(key); got != value {
				t.Errorf("the value of %d is the %dth, want the %dth", key, got, value)
			}
		}
		want(1, 1)
		want(2, 2)
		want(2, 2)
		m.release(2) // one of two uses remains
		<-time.After(time.Hour)
		want(1, 1)
		m.release(2)
		<-time.After(59 * time.Second)
		want(2, 2) // created again
		m.release(2)
		<-time.After(59 * time.Second)
		want(3, 3)
		<-time.After(time.Second)
		want(2, 4)
		for key := range maxUnused + 100 {
			want(1000+key, 5+key)
			m.release(1000 + key)
		}
		if len(m.of) != maxUnused+3 || m.unused.Len() != maxUnused {
			t.Errorf("%d are kept, %d of them unused", len(m.of), m.unused.Len())
		}
		want(1, 1)
		want(1100, 105)
	})
}

func TestReserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, two := rate.NewLimiter(1, 2), rate.NewLimiter(10, 10)
		for _, row := range []struct {
			at       string
			n1, n2   int
			wait     time.Duration
			which    int
			has, and float64 // tokens that remain
		}{
			{here(), 1, 4, 0, 0, 1, 6},
			{here(), 2, 1, time.Second, 0, 1, 6},
			{here(), 1, 8, 200 * time.Millisecond, 1, 1, 6},
			{here(), 1, 11, rate.InfDuration, 1, 1, 6},
			{here(), 1, 6, 0, 0, 0, 0},
		} {
			wait, which := reserve(cost{limiter{Limiter: one}, row.n1}, cost{limiter{Limiter: two}, row.n2})
			if wait != row.wait || which != row.which || one.Tokens() != row.has || two.Tokens() != row.and {
				t.Errorf("%s: wait %v for %d, and %v and %v tokens are left", row.at, wait, which, one.Tokens(), two.Tokens())
			}
		}
	})
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ at, remote, want string }{
		{here(), "192.0.2.1:5000", "192.0.2.1"},
		{here(), "[::ffff:192.0.2.1]:5000", "192.0.2.1"},
		{here(), "[2001:db8:1:2:3:4:5:6]:5000", "2001:db8:1:2::"},
		{here(), "[2001:db8:1:2:ffff::1]:80", "2001:db8:1:2::"},
		{here(), "[2001:db8:1:3::1]:80", "2001:db8:1:3::"},
		{here(), "[fe80::1%eth0]:80", "fe80::"},
		{here(), "@", "invalid IP"},
		{here(), "", "invalid IP"},
	} {
		if got := address(row.remote); got.String() != row.want {
			t.Errorf("%s: %q is %v, want %s", row.at, row.remote, got, row.want)
		}
	}
}
