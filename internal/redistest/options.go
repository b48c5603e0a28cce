package redistest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Options are what a server is started with. The zero value is a server on a free port of
// 127.0.0.1 that needs no password and stores nothing.
type Options struct {
	// Valkey makes it a valkey-server instead of a redis-server.
	Valkey bool
	// Host is the address that the server listens on. The default is 127.0.0.1.
	Host string
	// Password is what clients must send (requirepass), and is part of URL.
	Password string
	// ACL are users, each in the form of the command ACL SETUSER and of the directive
	// "user": "django on >secret ~* &* +@all".
	ACL []string
	// Config are further lines of redis.conf.
	Config []string
	// TLS makes the port one for TLS only, with a certificate for Host and localhost that
	// is its own authority: see Server.TLSConfig and Server.CAFile.
	TLS bool
	// ReplicaOf makes the server a replica. It must not use TLS.
	ReplicaOf *Server
	// Run, if not nil, calls start in the thread that starts the process: one in the
	// network namespace where the server must be, such as testkit.Namespace.Run. The server
	// ends with the thread.
	Run func(start func())

	// cluster makes it a node of a cluster, without slots.
	cluster bool
	// pair is the certificate of a server with TLS. Without one, the server gets its own.
	pair *certificate
	// sentinel is the configuration of a Sentinel. It replaces that of a server.
	sentinel []string
}

// program returns the name of the program of the server.
func (o *Options) program() string {
	if o.Valkey {
		return "valkey-server"
	}
	return "redis-server"
}

// defaultHost is Options.Host if it is empty.
const defaultHost = "127.0.0.1"

// find returns the path of the program of the server.
func (o *Options) find() (string, error) {
	program := o.program()
	for _, candidate := range []string{program, "/usr/bin/" + program, "/usr/local/bin/" + program, unpacked(program)} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("wye: redistest: there is no %s here; install it with: make deps", program)
}

// unpacked returns the path of a program that scripts/deps has unpacked into the repository, which
// is a parent of the working directory of each test. If there is none, it returns a path with
// nothing.
func unpacked(program string) string {
	path := filepath.Join(".tmp", "valkey", "usr", "bin", program)
	dir, err := os.Getwd()
	for ; err == nil && filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, path)); err == nil {
			return filepath.Join(dir, path)
		}
	}
	return path
}

// New starts a server for a test, which closes it. If the test fails, it shows what the
// server has logged. A server that cannot start fails the test.
func New(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	closeWith(tb, s)
	return s
}

// closeWith closes s at the end of the test.
func closeWith(tb testing.TB, s *Server) {
	tb.Helper()
	tb.Cleanup(func() {
		log := ""
		if tb.Failed() {
			log = s.Log()
		}
		s.Close()
		if tb.Failed() {
			tb.Logf("%s wrote:\n%s", s, log)
		}
	})
}

// Must is Start for TestMain and short programs: it panics if the server cannot start.
func Must(o Options) *Server {
	s, err := Start(o)
	if err != nil {
		panic(err)
	}
	return s
}

// Start starts a server and returns when it answers. The caller must Close it.
func Start(o Options) (*Server, error) {
	path, err := o.find()
	if err != nil {
		return nil, err
	}
	o.Host = cmp.Or(o.Host, defaultHost)
	// Another process may take the port before the server does.
	for range 20 {
		var s *Server
		if s, err = newServer(path, o); err != nil {
			return nil, err
		}
		if err = s.start(); err == nil {
			if err = s.attach(); err != nil {
				return nil, err
			}
			return s, nil
		}
		s.Close()
		if !errors.Is(err, errInUse) {
			break
		}
	}
	return nil, err
}

// attach waits until a replica has the data of its master.
func (s *Server) attach() error {
	if s.options.ReplicaOf == nil {
		return nil
	}
	err := s.Wait(context.Background(), "it is a connected replica", func(do Do) bool {
		role, ok := do("ROLE").([]any)
		return ok && len(role) > 3 && role[0] == "slave" && role[3] == "connected"
	})
	if err != nil {
		s.Close()
		return fmt.Errorf("%w; its master is %s", err, s.options.ReplicaOf)
	}
	return nil
}
