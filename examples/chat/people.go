package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/wye-go/wye/consumer"
)

const (
	cookieName = "wye-chat"
	cookieAge  = 365 * 24 * time.Hour
)

// people knows who somebody is: a cookie says it, which only this chat can sign.
type people struct {
	store   *store
	cookie  *securecookie.SecureCookie
	rooms   *rooms // knows how fast names may be taken
	proxies proxies
}

func newPeople(ctx context.Context, s *store, r *rooms, trusted proxies) (*people, error) {
	secret, err := s.Secret(ctx)
	if err != nil {
		return nil, err
	}
	cookie := securecookie.New(secret, nil).MaxAge(int(cookieAge.Seconds())).SetSerializer(securecookie.JSONEncoder{})
	return &people{store: s, cookie: cookie, rooms: r, proxies: trusted}, nil
}

// who is the person that a request comes from.
func (p *people) who(r *http.Request) (who Person, known bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return Person{}, false
	}
	return who, p.cookie.Decode(cookieName, c.Value, &who) == nil
}

// whoConnects is who for sockets, where those without a name are guests.
func (p *people) whoConnects(_ context.Context, s *consumer.Scope) (Person, error) {
	if who, known := p.who(s.Request()); known {
		return who, nil
	}
	id := guest + "-" + strings.ToLower(rand.Text()[:8])
	return Person{ID: id, Name: id}, nil
}

// get says who asks, who keeps the name for another year.
func (p *people) get(w http.ResponseWriter, r *http.Request) {
	who, known := p.who(r)
	if !known {
		w.WriteHeader(http.StatusNoContent) // and not 404, of which browsers complain
		return
	}
	p.welcome(w, r, who)
}

// post gives whoever asks a name. He keeps it until he forgets it.
func (p *people) post(w http.ResponseWriter, r *http.Request) {
	if _, known := p.who(r); known {
		complain(w, http.StatusConflict, refuse("named", "You have a name already."))
		return
	}
	near, release := p.rooms.near(address(p.proxies.client(r).RemoteAddr))
	defer release()
	if wait, _ := pay(toll{near.tries, 1}); wait > 0 {
		p.explain(w, slow("tries", "Many names are asked for from your network. Try again in %v.", wait))
		return
	}
	var wanted Person
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&wanted); err != nil {
		complain(w, http.StatusBadRequest, refuse("malformed", "That is not the JSON of a name."))
		return
	}
	who, err := p.add(r.Context(), near, wanted.Name)
	if err != nil {
		p.explain(w, err)
		return
	}
	p.welcome(w, r, who)
}

// welcome says who somebody is, and gives him the cookie that says so from now on.
func (p *people) welcome(w http.ResponseWriter, r *http.Request, who Person) {
	value, err := p.cookie.Encode(cookieName, who)
	if err != nil {
		p.explain(w, err)
		return
	}
	http.SetCookie(w, p.newCookie(r, value, int(cookieAge.Seconds())))
	reply(w, http.StatusOK, who)
}

// forget takes the cookie away. The name stays taken, because of what was said.
func (p *people) forget(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, p.newCookie(r, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

func (p *people) newCookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // it is secure where the client uses TLS
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.proxies.client(r).Scheme == "https",
	}
}

// add makes somebody with a name that nobody has, nor one that looks the same. What
// cannot be had costs nothing of the names that all may take together.
func (p *people) add(ctx context.Context, near *nearby, wanted string) (Person, error) {
	name, err := fold(wanted)
	if err != nil {
		return Person{}, err
	}
	switch taken, err := p.store.Taken(ctx, name); {
	case err != nil:
		return Person{}, err
	case taken:
		return Person{}, errTaken
	}
	switch wait, which := pay(toll{near.names, 1}, toll{p.rooms.all.names, 1}); {
	case wait > 0 && which == 0:
		return Person{}, slow("names", "Many names have been taken from your network. Try again in %v.", wait)
	case wait > 0:
		return Person{}, slow("slow", "Many people want a name at the moment. Try again in %v.", wait)
	}
	who := Person{ID: strings.ToLower(rand.Text()), Name: name.shown}
	return who, p.store.AddPerson(ctx, who, name)
}

// explain answers with what was wrong.
func (p *people) explain(w http.ResponseWriter, err error) {
	no := (*refused)(nil)
	switch {
	case errors.Is(err, errTaken):
		complain(w, http.StatusConflict, refuse("taken", "Somebody else has this name."))
	case !errors.As(err, &no):
		slog.Error("chat: a name is not stored", "err", err)
		complain(w, http.StatusServiceUnavailable, refuse("store", "The chat cannot store names at the moment."))
	case no.Retry > 0:
		w.Header().Set("Retry-After", strconv.FormatInt(no.Retry/1000+1, 10))
		complain(w, http.StatusTooManyRequests, no)
	default:
		complain(w, http.StatusBadRequest, no)
	}
}

func complain(w http.ResponseWriter, status int, why *refused) { reply(w, status, why) }

func reply(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) //nolint:errcheck,errchkjson // what can be encoded; and whoever asked has gone
}
