package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// patience is how long a process may take to start, to answer or to stop. It is the time of
// a failure.
const patience = 30 * time.Second

// admin is the user by which this package, replicas and Sentinels talk to a server. It may
// do everything, with any password.
const admin = "redistest"

// errInUse means that another process listens on the port.
var errInUse = errors.New("the port is in use")

// Server is a redis-server or valkey-server, running or not. Its methods are safe for concurrent use, but
// a Stop during a Start waits for it.
type Server struct {
	options Options
	binary  string
	dir     string
	port    int
	busPort int // of a node of a cluster

	mu struct {
		sync.Mutex
		process *process // nil while it does not run
		closed  bool
	}
}

// newServer writes the configuration of a server into a new folder.
func newServer(path string, o Options) (*Server, error) {
	// The name of a folder of testing.TB may be too long for a unix socket.
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, fmt.Errorf("wye: redistest: no temporary folder: %w", err)
	}
	s := &Server{options: o, binary: path, dir: dir, port: freePort(o.Host)}
	if o.cluster {
		s.busPort = freePort(o.Host)
	}
	if err := s.writeCertificate(); err != nil {
		s.Close()
		return nil, err
	}
	config := strings.Join(s.config(), "\n") + "\n"
	if err := os.WriteFile(s.file("redis.conf"), []byte(config), 0o600); err != nil {
		s.Close()
		return nil, fmt.Errorf("wye: redistest: cannot write the configuration: %w", err)
	}
	return s, nil
}

// writeCertificate writes the certificate of a server with TLS.
func (s *Server) writeCertificate() (err error) {
	if !s.options.TLS {
		return nil
	}
	if s.options.pair == nil {
		if s.options.pair, err = newCertificate(s.options.Host); err != nil {
			return err
		}
	}
	return s.options.pair.writeTo(s.dir)
}

// freePort returns a port on which nothing listens now, among those that no system gives
// to clients.
func freePort(host string) int {
	for {
		port := 10_000 + rand.IntN(22_000) //nolint:gosec // G404: it need not be secret
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			_ = l.Close() //nolint:errcheck // nothing was accepted
			return port
		}
		if !isInUse(err) { // host is an address of another namespace
			return port
		}
	}
}

// config returns the lines of redis.conf.
func (s *Server) config() []string {
	o := s.options
	lines := []string{
		"bind " + o.Host, "protected-mode no", "dir " + s.dir, "unixsocket " + s.socket(), "unixsocketperm 700",
	}
	if o.TLS {
		lines = append(lines, "port 0", "tls-port "+strconv.Itoa(s.port), "tls-auth-clients no",
			"tls-cert-file "+s.CAFile(), "tls-key-file "+s.file(keyFile), "tls-ca-cert-file "+s.CAFile())
	} else {
		lines = append(lines, "port "+strconv.Itoa(s.port))
	}
	if o.sentinel != nil {
		return append(lines, o.sentinel...)
	}
	lines = append(lines, "save \"\"", "appendonly no", "repl-diskless-sync yes", "repl-diskless-sync-delay 0",
		"user "+admin+" on nopass ~* &* +@all", "masteruser "+admin, "masterauth "+admin)
	for _, user := range o.ACL {
		lines = append(lines, "user "+user)
	}
	if o.Password != "" {
		lines = append(lines, "requirepass "+o.Password)
	}
	if o.cluster {
		lines = append(lines, "cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-port "+strconv.Itoa(s.busPort),
			"cluster-replica-validity-factor 0")
		if o.TLS {
			lines = append(lines, "tls-cluster yes", "tls-replication yes")
		}
	}
	if o.ReplicaOf != nil {
		lines = append(lines, fmt.Sprintf("replicaof %s %d", o.ReplicaOf.options.Host, o.ReplicaOf.port))
	}
	return append(lines, o.Config...)
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }
func (s *Server) socket() string          { return s.file("redis.sock") }

// String returns what the server is, for messages.
func (s *Server) String() string {
	if s.options.sentinel != nil {
		return "the Sentinel on " + s.Addr()
	}
	return "the " + s.options.program() + " on " + s.Addr()
}

// Addr returns the host and port of the server.
func (s *Server) Addr() string { return net.JoinHostPort(s.options.Host, strconv.Itoa(s.port)) }

// Port returns the port of the server.
func (s *Server) Port() int { return s.port }

// URL returns the URL of the server: redis://127.0.0.1:PORT, or rediss: with TLS. It has
// the Password of the options.
func (s *Server) URL() string { return s.URLOf("", s.options.Password) }

// URLOf returns the URL of the server for a user of its ACL. user may be empty.
func (s *Server) URLOf(user, password string) string {
	u := url.URL{Scheme: "redis", Host: s.Addr()}
	if s.options.TLS {
		u.Scheme = "rediss"
	}
	if user != "" || password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// SocketURL returns the URL of the server's unix socket, without a password.
func (s *Server) SocketURL() string { return "unix://" + s.socket() }

// CAFile returns the file that has the certificate of the server, in PEM, for clients in
// other languages.
func (s *Server) CAFile() string { return s.file(certFile) }

// TLSConfig returns what a client needs that connects to a server with TLS.
func (s *Server) TLSConfig() *tls.Config { return s.options.pair.clientConfig() }

// PID returns the process ID, or 0 if the server does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.process == nil {
		return 0
	}
	return s.mu.process.cmd.Process.Pid
}

// Log returns the end of what the server has logged.
func (s *Server) Log() string {
	const most = 16 << 10
	b, err := os.ReadFile(s.file("log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// Start starts a server again that was stopped or killed, on the same port and without
// data. It returns when the server answers. A server that runs is left alone. What CONFIG
// SET has changed is as before, unless CONFIG REWRITE, which Sentinel also sends, has
// stored it.
func (s *Server) Start() error {
	end := time.Now().Add(patience)
	for {
		err := s.start()
		// A connection of another process may have got the port for a moment.
		if !errors.Is(err, errInUse) || time.Now().After(end) {
			return err
		}
		pause(context.Background())
	}
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.closed:
		return fmt.Errorf("wye: redistest: %s has been closed", s)
	case s.mu.process != nil && !s.mu.process.ended():
		return nil
	}
	_ = os.Remove(s.file("dump.rdb")) //nolint:errcheck // a replica may have one, and starts without data
	p, err := s.run()
	if err != nil {
		return fmt.Errorf("wye: redistest: %s cannot be started: %w", s, err)
	}
	if err := s.ready(p); err != nil {
		p.end(killSignal)
		return err
	}
	s.mu.process = p
	return nil
}

// process is one run of a server.
type process struct {
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended
}

// run starts the process. What it ends with is the thread that starts it, and not this
// process: the thread does nothing else until the child has ended.
func (s *Server) run() (*process, error) {
	log, err := os.OpenFile(s.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	args := []string{s.file("redis.conf")}
	if s.options.sentinel != nil {
		args = append(args, "--sentinel")
	}
	//nolint:noctx,gosec // G204: the program is found in PATH; it lives until it is stopped
	p := &process{cmd: exec.Command(s.binary, args...), over: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.dir, log, log
	p.cmd.SysProcAttr = endsWithParent()
	started := make(chan error)
	go func() {
		defer close(p.over)
		defer log.Close() //nolint:errcheck // nothing is written here
		var err error
		if run := s.options.Run; run != nil {
			run(func() { err = p.cmd.Start() })
		} else {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			err = p.cmd.Start()
		}
		started <- err
		if err == nil {
			_ = p.cmd.Wait() //nolint:errcheck // the log says how it ended
		}
	}()
	return p, <-started
}

// ready waits until the server answers.
func (s *Server) ready(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		_, err := s.Do(ctx, "PING")
		if err == nil {
			return nil
		}
		select {
		case <-p.over:
			if log := s.Log(); strings.Contains(log, "Address already in use") {
				return fmt.Errorf("wye: redistest: %s cannot be started: %w", s, errInUse)
			}
			return fmt.Errorf("wye: redistest: %s cannot be started; it wrote:\n%s", s, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("wye: redistest: %s does not answer: %w; it wrote:\n%s", s, err, s.Log())
		default:
			pause(ctx)
		}
	}
}

// pause waits a little before something is tried again.
func pause(ctx context.Context) {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (p *process) ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// end sends a signal and returns when the process has ended.
func (p *process) end(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal) //nolint:errcheck // it may have ended by itself
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.over:
	case <-timer.C:
		_ = p.cmd.Process.Kill() //nolint:errcheck // likewise
		<-p.over
	}
}

// Stop ends the server with SIGTERM, so that it closes its connections, and returns when it
// has ended. A server that does not run is left alone.
func (s *Server) Stop() { s.end(termSignal) }

// Kill ends the server with SIGKILL, also if it is frozen, and returns when it has ended.
func (s *Server) Kill() { s.end(killSignal) }

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.process != nil {
		s.mu.process.end(signal)
		s.mu.process = nil
	}
}

// Freeze stops the server with SIGSTOP: its connections stay open, and nothing answers.
// It needs a Unix system, as Thaw does.
func (s *Server) Freeze() error { return s.signal(freezeSignal, "frozen") }

// Thaw lets a frozen server continue.
func (s *Server) Thaw() error { return s.signal(thawSignal, "thawed") }

func (s *Server) signal(signal os.Signal, what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.process == nil {
		return fmt.Errorf("wye: redistest: %s cannot be %s: it does not run", s, what)
	}
	if err := s.mu.process.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("wye: redistest: %s cannot be %s: %w", s, what, err)
	}
	return nil
}

// Close kills the server and removes its files. It may be called more than once.
func (s *Server) Close() {
	s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	_ = os.RemoveAll(s.dir) //nolint:errcheck // files of a temporary folder may stay
}
