// Django is a Channels project whose sockets have moved to Wye, all but one. Django keeps
// its pages, its login and its views; a view's group_send reaches the consumers of both.
//
//	go run ./examples/django
//
// starts everything: a Redis server, Django under uvicorn, and in front of them the Wye
// server, whose address it prints. Ctrl-C ends everything. README.md says what to try.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wye-go/wye/examples/django/djangoauth"
	"github.com/wye-go/wye/router"
)

// grace is how long a shutdown waits for open connections.
const grace = 4 * time.Second

// config are the flags.
type config struct {
	addr   string // where Wye listens
	redis  string // the URL of a Redis server, or "" to start one
	users  string // how Wye learns the user: "ask" or "read"
	python string
	pause  time.Duration // before a service that has ended is started again
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8000", "where to listen")
	flag.StringVar(&c.redis, "redis", "", "the `URL` of a Redis server, such as redis://127.0.0.1:6379; by default one is started")
	flag.StringVar(&c.users, "users", "ask", "how Wye learns who has logged in to Django: ask its view whoami, or read its signed cookies")
	flag.DurationVar(&c.pause, "pause", 5*time.Second, "how long Redis and Django stay away when they have been killed")
	flag.StringVar(&c.python, "python", "/usr/bin/python3", "the Python that has Django and Channels")
	flag.Parse()
	if flag.NArg() > 0 || c.users != "ask" && c.users != "read" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, c)
	stop()
	if err != nil {
		log.Fatal("django: ", err)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, c config) (err error) {
	if err := checkPackages(ctx, c); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wye-django-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer l.Close()

	all := services{pause: c.pause}
	defer all.stop() // after the router has closed its connections
	log.Print("django: starting Redis and Django, which takes a few seconds")
	redisURL, err := startRedis(ctx, &all, c, dir)
	if err != nil {
		return err
	}
	layer, err := openLayer(ctx, redisURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLayer(layer)) }()
	secret := rand.Text() + rand.Text()
	django, err := startDjango(ctx, &all, c, dir, "DJANGO_SECRET_KEY="+secret, "REDIS_URL="+redisURL, "WYE_USERS="+c.users)
	if err != nil {
		return err
	}
	auth, err := newAuth(c.users, django, secret)
	if err != nil {
		return err
	}
	log.Printf("django: open http://%s/ in two browsers; log in as ann and bob, the password is the name", l.Addr())
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	return router.Serve(ctx, l, srv, newFront(django, layer, auth), grace)
}

// newAuth returns the function that finds the user of a handshake.
func newAuth(users string, django *url.URL, secret string) (authenticate, error) {
	if users == "read" {
		reader, err := djangoauth.NewReader(nil, secret)
		if err != nil {
			return nil, err
		}
		return reader.User, nil
	}
	asker, err := djangoauth.NewAsker(django.JoinPath("/whoami/").String(), nil)
	if err != nil {
		return nil, fmt.Errorf("the view whoami: %w", err)
	}
	return asker.User, nil
}
