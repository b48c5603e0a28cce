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

// people knows the people by their cookies. Only this chat can sign them.
type people struct {
	store   *store
	cookie  *securecookie.SecureCookie
	rooms   *rooms // has the limits on names
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

// fromCookie returns the person in r's cookie. known is false without a valid cookie.
func (p *people) fromCookie(r *http.Request) (who Person, known bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return Person{}, false
	}
	return who, p.cookie.Decode(cookieName, c.Value, &who) == nil
}

// authenticate returns the user of a connection: the person in the cookie, or a guest
// with a new name.
func (p *people) authenticate(_ context.Context, s *consumer.Scope) (Person, error) {
	if who, known := p.fromCookie(s.Request()); known {
		return who, nil
	}
	id := guest + "-" + strings.ToLower(rand.Text()[:8])
	return Person{ID: id, Name: id}, nil
}

// getMe answers with the person who sends the request, and renews the cookie for a
// year.
func (p *people) getMe(w http.ResponseWriter, r *http.Request) {
	who, known := p.fromCookie(r)
	if !known {
		w.WriteHeader(http.StatusNoContent) // not 404, which browsers log as an error
		return
	}
	p.replyPerson(w, r, who)
}

// postMe gives the sender of the request a name. The name belongs to the cookie until
// deleteMe.
func (p *people) postMe(w http.ResponseWriter, r *http.Request) {
	if _, known := p.fromCookie(r); known {
		reply(w, http.StatusConflict, refuse("named", "You have a name already."))
		return
	}
	near, release := p.rooms.useAddress(address(p.proxies.client(r).RemoteAddr))
	defer release()
	if wait, _ := p.rooms.reserve(cost{near.tries, 1}); wait > 0 {
		p.replyError(w, slow("tries", "There are too many requests for names from your network. Try again in %v.", wait))
		return
	}
	var wanted Person
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&wanted); err != nil {
		reply(w, http.StatusBadRequest, refuse("malformed", "That is not the JSON of a name."))
		return
	}
	who, err := p.register(r.Context(), near, wanted.Name)
	if err != nil {
		p.replyError(w, err)
		return
	}
	p.replyPerson(w, r, who)
}

// replyPerson answers with a person and sets the cookie.
func (p *people) replyPerson(w http.ResponseWriter, r *http.Request, who Person) {
	value, err := p.cookie.Encode(cookieName, who)
	if err != nil {
		p.replyError(w, err)
		return
	}
	http.SetCookie(w, p.newCookie(r, value, int(cookieAge.Seconds())))
	reply(w, http.StatusOK, who)
}

// deleteMe deletes the cookie. The name stays taken, because stored messages have it.
func (p *people) deleteMe(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, p.newCookie(r, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

func (p *people) newCookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is set if the client uses TLS
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: p.proxies.client(r).Scheme == "https",
	}
}

// register creates a person. The name must not be taken, nor look like one that is. A
// name that is refused uses no token of the limits that all people share.
func (p *people) register(ctx context.Context, near *addressLimits, wanted string) (Person, error) {
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
	switch wait, which := p.rooms.reserve(cost{near.names, 1}, cost{p.rooms.all.names, 1}); {
	case wait > 0 && which == 0:
		return Person{}, slow("names", "Many names have been taken from your network. Try again in %v.", wait)
	case wait > 0:
		return Person{}, slow("slow", "Many people want a name at the moment. Try again in %v.", wait)
	}
	who := Person{ID: strings.ToLower(rand.Text()), Name: name.shown}
	return who, p.store.AddPerson(ctx, who, name)
}

// replyError answers with the refusal or the status for err.
func (p *people) replyError(w http.ResponseWriter, err error) {
	no := (*refused)(nil)
	switch {
	case errors.Is(err, errTaken):
		reply(w, http.StatusConflict, refuse("taken", "Somebody else has this name."))
	case !errors.As(err, &no):
		slog.Error("chat: a name was not stored", "err", err)
		reply(w, http.StatusServiceUnavailable, refuse("store", "The chat cannot store names at the moment."))
	case no.Retry > 0:
		w.Header().Set("Retry-After", strconv.FormatInt(no.Retry/1000+1, 10))
		reply(w, http.StatusTooManyRequests, no)
	default:
		reply(w, http.StatusBadRequest, no)
	}
}

func reply(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) //nolint:errcheck,errchkjson // it fails only if the client has disconnected
}
