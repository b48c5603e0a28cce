package peer

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/wye-go/wye/bench/internal/probe"
	"github.com/wye-go/wye/bench/internal/selfsigned"
)

// Main is the main function of a server on net/http: it reads the flags and serves until
// the process ends. The handler is called with the requests for the paths that there are.
//
// If the handler needs more flags, the caller defines them before.
func Main(addr string, h func(w http.ResponseWriter, r *http.Request, p Path)) {
	flag.StringVar(&addr, "addr", addr, "where to listen")
	secure := flag.Bool("tls", false, "serve TLS, with a certificate of its own")
	flag.Parse()
	probe.Install()
	if err := serve(addr, *secure, h); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(addr string, secure bool, h func(http.ResponseWriter, *http.Request, Path)) error {
	srv := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := ParsePath(r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		h(w, r, p)
	})
	if !secure {
		return srv.ListenAndServe()
	}
	var err error
	if srv.TLSConfig, err = selfsigned.Config(); err != nil {
		return err
	}
	return srv.ListenAndServeTLS("", "")
}

// Deflate is what a server does about compression: Off, On or NoTakeover. It is a flag.
type Deflate string

// The values of a Deflate.
const (
	Off        Deflate = ""
	On         Deflate = "true" // with context takeover, where the library has it
	NoTakeover Deflate = "no-takeover"
)

// Threshold is the size from which servers compress, as that of Wye.
const Threshold = 256

// DeflateFlag defines the flag of a Deflate, as Wye's server has it.
func DeflateFlag() *Deflate {
	d := new(Deflate)
	flag.Var(d, "deflate", "compress messages, with context takeover where the library has it; -deflate=no-takeover without")
	return d
}

// String returns the value.
func (d *Deflate) String() string { return string(*d) }

// IsBoolFlag allows the flag without a value.
func (d *Deflate) IsBoolFlag() bool { return true }

// Set reads a value.
func (d *Deflate) Set(value string) error {
	switch v := Deflate(value); v {
	case On, NoTakeover:
		*d = v
	case "false":
		*d = Off
	default:
		return fmt.Errorf("%q is not a value of -deflate: write nothing, or %s", value, NoTakeover)
	}
	return nil
}
