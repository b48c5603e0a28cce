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
