package load

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wye-go/wye/bench/internal/frame"
	"github.com/wye-go/wye/bench/internal/hist"
)

// Run does one run. It fails on the first answer that is not what was sent, on
// a connection that is closed, and if the server stops answering.
func Run(ctx context.Context, cfg Config) (Result, error) {
	t, err := cfg.check()
	if err != nil {
		return Result{}, err
	}
	if t.tls {
		return runTLS(ctx, cfg, t)
	}
	cl, err := newClient(t, cfg)
	if err != nil {
		return Result{}, err
	}
	r := run{cfg: cfg, cl: cl}
	err = r.do(ctx)
	return r.result, errors.Join(err, cl.close())
}

// run is one run in progress.
type run struct {
	cfg    Config
	cl     *client
	result Result
	before memory // of the server, without a connection
	opened usage  // of the server, for opening the connections
}

func (r *run) do(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	if r.cfg.Hello {
		if err := r.hello(ctx); err != nil {
			return err
		}
	}
	play, err := r.scenario()
	if err != nil {
		return err
	}
	if err := r.cl.perform(play); err != nil {
		return err
	}
	if err := r.cl.runFor(ctx, r.cfg.Warmup); err != nil {
		return err
	}
	if err := r.measure(ctx); err != nil {
		return err
	}
	return r.cl.runOut(ctx)
}

// open opens the connections, in a room the publisher last.
func (r *run) open(ctx context.Context) (err error) {
	var before usage
	if r.cfg.PID != 0 {
		if r.before, err = r.cfg.memory(ctx); err != nil {
			return err
		}
		if before, err = readUsage(r.cfg.PID); err != nil {
			return err
		}
	}
	switch r.cfg.Scenario {
	case Room:
		err = r.join(ctx)
	case Handshake: // opens its own, when it is performed
	default:
		err = r.cl.dial(ctx, r.cfg.Conns, r.cfg.path())
	}
	if err != nil || r.cfg.PID == 0 {
		return err
	}
	after, err := readUsage(r.cfg.PID)
	r.opened = after.since(before)
	return err
}

// join brings everybody into the room. A server may answer the handshake before
// it has joined the client, but not its first message.
func (r *run) join(ctx context.Context) error {
	if err := r.cl.dial(ctx, r.cfg.Conns-1, "/member/bench"); err != nil {
		return err
	}
	if r.cl.greeting != "" {
		if err := r.cl.dial(ctx, 1, r.cfg.path()); err != nil {
			return err
		}
		return r.greet(ctx)
	}
	if err := r.hello(ctx); err != nil {
		return fmt.Errorf("joining the room: %w", err)
	}
	return r.cl.dial(ctx, 1, r.cfg.path())
}

// helloSize is the payload of a hello, for scenarios that have no Size.
const helloSize = 64

// deflatedHello is that of a hello that must be worth compressing.
const deflatedHello = 1 << 10

// hello sends one message on every connection, and waits for all answers.
func (r *run) hello(ctx context.Context) error {
	size, data := max(r.cfg.Size, helloSize), r.cfg.Data
	if r.cfg.Deflate && r.cfg.Scenario == Idle {
		size, data = deflatedHello, JSON
	}
	m := newMold(size, 1, data, r.cl.raw)
	if err := r.compress(m); err != nil {
		return err
	}
	hello := &echo{cl: r.cl, mold: m, depth: 1, limit: 1}
	if err := r.cl.perform(hello); err != nil {
		return err
	}
	return r.cl.runOut(ctx)
}

// greet has all connections send the greeting of the dialect, and waits for all answers.
func (r *run) greet(ctx context.Context) error {
	g := &greeters{cl: r.cl, frame: maskedFrame(frame.OpText, []byte(r.cl.greeting)), out: len(r.cl.conns)}
	if err := r.cl.perform(g); err != nil {
		return err
	}
	if err := r.cl.runOut(ctx); err != nil {
		return fmt.Errorf("joining the room: %w", err)
	}
	return nil
}

// compress has m compressed if the run is.
func (r *run) compress(m *mold) error {
	if !r.cfg.Deflate {
		return nil
	}
	return m.compress()
}

func (r *run) scenario() (scenario, error) {
	var m *mold
	if r.cfg.talks() {
		m = newMoldIn(r.cl.dialect, r.cfg.Size, r.cfg.Depth, r.cfg.Data, r.cl.raw)
		if err := r.compress(m); err != nil {
			return nil, err
		}
	}
	switch r.cfg.Scenario {
	case Room:
		return &room{cl: r.cl, mold: m, publisher: r.cl.conns[len(r.cl.conns)-1], window: r.cfg.Depth}, nil
	case Echo:
		return &echo{cl: r.cl, mold: m, depth: r.cfg.Depth}, nil
	case Handshake:
		return &lives{cl: r.cl, n: r.cfg.Conns}, nil
	case Paced:
		return newPaced(r.cl, r.cfg), nil
	default:
		return idle{}, nil
	}
}

// measure runs the loop for the duration and fills in the result.
func (r *run) measure(ctx context.Context) error {
	server, client, err := r.usages()
	if err != nil {
		return err
	}
	others, err := readUsages(r.cfg.OtherPIDs)
	if err != nil {
		return err
	}
	r.cl.clock()
	began := r.cl.now
	r.cl.counts, r.cl.wire = hist.Histogram{}, 0
	if err := r.cl.runFor(ctx, r.cfg.Duration); err != nil {
		return err
	}
	seconds := float64(r.cl.now-began) / 1e9
	server2, client2, err := r.usages()
	if err != nil {
		return err
	}
	others2, err := readUsages(r.cfg.OtherPIDs)
	if err != nil {
		return err
	}
	r.fill(seconds, client2.since(client))
	for i, u := range others2 {
		r.result.Others = append(r.result.Others, cost(u.since(others[i]), seconds, r.result.Messages))
	}
	if r.cfg.PID == 0 {
		r.result.ClientBound = clientBound(r.result.Client, nil)
		return nil
	}
	return r.fillServer(ctx, server2.since(server))
}

// usages reads what the server and the client have used so far.
func (r *run) usages() (server, client usage, err error) {
	if r.cfg.PID != 0 {
		if server, err = readUsage(r.cfg.PID); err != nil {
			return server, client, err
		}
	}
	client, err = readUsage(os.Getpid())
	return server, client, err
}

func readUsages(pids []int) (all []usage, err error) {
	for _, pid := range pids {
		u, err := readUsage(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func (r *run) fill(seconds float64, client usage) {
	h := &r.cl.counts
	r.result = Result{
		Scenario: r.cfg.Scenario, URL: r.cfg.URL, Conns: r.cfg.Conns, Size: r.cfg.Size, Data: r.cfg.Data, Depth: r.cfg.Depth,
		Rate: r.cfg.Rate, SleepEvery: r.cfg.SleepEvery,
		Seconds: seconds, Messages: h.Total(), PerSecond: float64(h.Total()) / seconds,
		P50us: float64(h.Quantile(0.50)) / 1e3, P99us: float64(h.Quantile(0.99)) / 1e3,
		Client:  cost(client, seconds, h.Total()),
		Deflate: r.cfg.Deflate, WireBytes: float64(r.cl.wire) / float64(max(h.Total(), 1)),
	}
}

func (r *run) fillServer(ctx context.Context, used usage) error {
	now, err := r.cfg.memory(ctx)
	if err != nil {
		return err
	}
	r.result.Server = &Server{
		Cost:        cost(used, r.result.Seconds, r.result.Messages),
		HandshakeNs: float64(r.opened.cpu.Nanoseconds()) / float64(r.cfg.Conns),
		Memory:      now.perConn(r.before, r.cfg.Conns),
	}
	r.result.ClientBound = clientBound(r.result.Client, r.result.Server)
	return nil
}
