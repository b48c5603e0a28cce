package layers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// Worker receives events from named channels and has an application handle them, as
// runworker does in Django Channels. Any code sends it events with Layer.Send:
//
//	err := layers.Default().Send(ctx, "thumbnails", Resize.New(Picture{ID: 7}))
//
// For each event, the worker opens the application with a scope of type "channel", and calls
// Connect, Event and Disconnect of the handler. A consumer made with consumer.New and
// consumer.On can be the application. It can join groups and send to them, but sends to its
// peer fail, because it has none. Several events are handled at once, also of one channel,
// in any order.
//
// A server runs a Worker with the router's Background method, in the same process.
//
// Delivery is at most once: after an error or a panic, which is logged and counted, the
// event is not handled again. Set the fields before Run.
type Worker struct {
	// Puller is where events come from. It is required; if it is a *Layer, it
	// is also the layer of the consumers.
	Puller Puller
	// App handles the events: a router.ChannelNameRouter, as a rule. It is
	// required.
	App protocol.Application
	// Channels are the names to take events from. Default: those that App
	// knows, if it has a method Names() []string as the router has.
	Channels []string
	// Concurrency is how many events are handled at once. A channel that waits for an
	// event does not count, so that quiet channels delay no busy one. No event is asked
	// for while that many are handled; one that arrives for a channel that was waiting
	// already is taken, and handled as soon as another is done: at most one per channel
	// waits so, for as long as that takes, and its expiry in the channel no longer
	// applies. Busy channels take turns. Default: the number of processors.
	Concurrency int
	// Grace is how long events that were taken may be handled after the ctx of Run has
	// ended. Then the ctx of their handlers ends, and they have ten seconds more. Default
	// 10 s.
	Grace time.Duration
	// Logger gets what fails. Default slog.Default().
	Logger *slog.Logger

	sessions protocol.SessionOptions
	counters protocol.Counters
	slots    chan struct{}   // holds an element for each event that is being handled
	base     context.Context //nolint:containedctx // of the handlers; ends after Grace
	running  sync.WaitGroup
	dropped  atomic.Int64 // events that were taken, and could not be handled in time
}

// defaultGrace is Worker.Grace if it is 0.
const defaultGrace = 10 * time.Second

// Pulls that fail are tried again after a time that doubles.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Run receives and handles events until ctx ends, and returns when the handlers have
// returned. It may be called once. It returns an error if a field is invalid, or if
// handlers have not returned in time. While the back end is down, Run tries again.
func (w *Worker) Run(ctx context.Context) error {
	channels, err := w.checkedChannels()
	if err != nil {
		return err
	}
	w.setDefaults()
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	w.base = base
	var pulling sync.WaitGroup
	for _, channel := range channels {
		pulling.Go(func() { w.pullChannel(ctx, channel) })
	}
	pulling.Wait()
	return w.finish(cancel)
}

// Stats returns the counters of the events' handlers. Accepted is how many events were
// handled or are being handled, Open how many are being handled, and Failures how many
// handlers returned an error or panicked.
func (w *Worker) Stats() protocol.Stats { return w.counters.Stats() }

// checkedChannels returns the channels to take events from, or what is wrong with the fields.
func (w *Worker) checkedChannels() ([]string, error) {
	if w.Puller == nil || w.App == nil {
		return nil, errors.New("wye: layers.Worker: Puller and App are required")
	}
	channels := w.Channels
	if named, ok := w.App.(interface{ Names() []string }); ok && channels == nil {
		channels = named.Names()
	}
	if len(channels) == 0 {
		return nil, errors.New("wye: layers.Worker: Channels is empty; name the channels from which it receives events")
	}
	for _, channel := range channels {
		if err := ValidName(channel); err != nil {
			return nil, err
		}
		if err := w.findChannel(channel); err != nil {
			return nil, err
		}
	}
	return channels, nil
}

// findChannel returns the error of an App that knows that it does not handle channel.
func (w *Worker) findChannel(channel string) error {
	finder, ok := w.App.(scopes.Finder)
	if !ok {
		return nil
	}
	err := finder.Find(scopes.ForChannel(context.Background(), channel))
	if err == nil {
		return nil
	}
	text := "wye: layers.Worker"
	if name := strconv.Quote(channel); !strings.Contains(err.Error(), name) { // a router names it
		text += ": channel " + name
	}
	return errtext.Wrap(text, err)
}

// setDefaults sets the fields that are zero, and makes what the handlers need.
func (w *Worker) setDefaults() {
	if w.Concurrency <= 0 {
		w.Concurrency = runtime.GOMAXPROCS(0)
	}
	if w.Grace <= 0 {
		w.Grace = defaultGrace
	}
	if w.Logger == nil {
		w.Logger = slog.Default()
	}
	if l, ok := w.Puller.(*Layer); ok {
		w.App = Middleware(l)(w.App)
	}
	w.sessions = protocol.SessionOptions{Logger: w.Logger, Counters: &w.counters, Limits: protocol.Limits{}.WithDefaults()}
	w.slots = make(chan struct{}, w.Concurrency)
}

// pullChannel takes events from one channel. It asks for the next one only while a slot is
// free, but occupies none while it waits: the channel may stay empty for hours. An event
// that arrives after all slots have been occupied waits for one, and until it has one no
// other is asked for.
func (w *Worker) pullChannel(ctx context.Context, channel string) {
	pause := firstPause
	for w.waitForSlot(ctx) {
		e, err := w.Puller.Pull(ctx, channel)
		if err == nil {
			pause = firstPause
			started := make(chan struct{})
			w.running.Go(func() { w.handleInSlot(channel, e, started) })
			select {
			case <-started:
			case <-ctx.Done():
			}
			continue
		}
		if ctx.Err() != nil || errors.Is(err, ErrLayerClosed) {
			return
		}
		w.Logger.Error("wye: a worker cannot take events; it tries again", "channel", channel, "error", logs.Error(err), "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// waitForSlot waits until a slot is free, and leaves it free. Callers are served in their
// order, those that have an event among them. It returns false when ctx has ended.
func (w *Worker) waitForSlot(ctx context.Context) bool {
	select {
	case w.slots <- struct{}{}:
		<-w.slots
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// handleInSlot handles an event when a slot is free, and closes started then. If none is
// until the time to finish has passed, the event is dropped.
func (w *Worker) handleInSlot(channel string, e *protocol.Event, started chan<- struct{}) {
	select {
	case w.slots <- struct{}{}:
	case <-w.base.Done():
		w.dropped.Add(1)
		w.Logger.Error("wye: a worker had no time left for an event that it had taken", "channel", channel, "type", logs.Cut(e.Type()))
		return
	}
	defer func() { <-w.slots }()
	close(started)
	w.handleEvent(channel, e)
}

// handleEvent opens the application for an event, and returns when its session has closed.
func (w *Worker) handleEvent(channel string, e *protocol.Event) {
	t := &task{handled: make(chan struct{}), closed: make(chan struct{}), channel: channel}
	app := protocol.Wrap(w.App, func(s *protocol.Scope) (protocol.Handler, error) {
		h, err := w.App.Open(s)
		if err != nil || h == nil {
			return h, err
		}
		return &eventHandler{Handler: h, task: t}, nil
	})
	s := protocol.NewSession(w.base, app, scopes.ForChannel(w.base, channel), t, &w.sessions)
	s.Conn().Defer(func() { close(t.closed) })
	if !s.Open() {
		<-t.closed
		return
	}
	if s.Conn().Post(e) == nil {
		select {
		case <-t.handled:
		case <-t.closed:
		case <-w.base.Done():
		}
	}
	s.Conn().Close(protocol.CloseNormal, "")
	<-t.closed
}

// finish waits for the events that are being handled, ends their ctx after Grace, and waits
// for finalTime more.
func (w *Worker) finish(cancel context.CancelCauseFunc) error {
	done := make(chan struct{})
	go func() {
		w.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(w.Grace):
	}
	cancel(errGrace)
	select {
	case <-done:
	case <-time.After(finalTime):
	}
	open, dropped := w.counters.Stats().Open, w.dropped.Load()
	if open == 0 && dropped == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d events are still being handled, and %d were not begun", errGrace, open, dropped)
}

// finalTime is how long handlers have when their ctx has ended.
const finalTime = 10 * time.Second

var errGrace = errors.New("wye: layers.Worker: the time for events that were taken is over")

// eventHandler closes task.handled when its one event has been handled, also after a panic.
type eventHandler struct {
	protocol.Handler
	task *task
}

func (h *eventHandler) Event(ctx context.Context, c *protocol.Conn, e *protocol.Event) error {
	defer close(h.task.handled)
	return h.Handler.Event(ctx, c, e)
}

// task is the transport of an event's session: there is no peer.
type task struct {
	handled, closed chan struct{}
	channel         string
}

var errNoPeer = errors.New("wye: a worker has no peer to send to; send to a group or a channel")

func (t *task) Accept(protocol.AcceptOptions) error   { return nil }
func (t *task) Reject(*protocol.RejectError)          {}
func (t *task) Send(protocol.Message) error           { return errNoPeer }
func (t *task) SendPrepared(*protocol.Prepared) error { return errNoPeer }
func (t *task) Close(protocol.CloseStatus)            {}
func (t *task) LogValue() slog.Value                  { return slog.GroupValue(slog.String("channel", t.channel)) }
