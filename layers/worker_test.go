package layers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// job is what workers are given.
type job struct {
	N int `json:"n"`
}

var jobs = protocol.EventType[job]{Name: "job"}

// clerk is a consumer that works.
type clerk struct {
	consumer.Base
	do func(context.Context, *consumer.Conn, job) error
}

func (k *clerk) work(ctx context.Context, c *consumer.Conn, j job) error { return k.do(ctx, c, j) }

// office is the application of a worker that has one channel, "jobs".
func office(do func(context.Context, *consumer.Conn, job) error) *router.ChannelNameRouter {
	return router.NewChannelNameRouter(map[string]protocol.Application{
		"jobs": consumer.New(func(*consumer.Scope) *clerk { return &clerk{do: do} }, consumer.On(jobs, (*clerk).work)),
	})
}

// employ runs a worker in a synctest bubble. stop ends it and returns what Run does.
func employ(t *testing.T, w *layers.Worker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := make(chan error, 1)
	go func() { err <- w.Run(ctx) }()
	return func() error {
		cancel()
		return <-err
	}
}

func give(t *testing.T, l *layers.Layer, n int) {
	t.Helper()
	if err := l.Send(t.Context(), "jobs", jobs.New(job{n})); err != nil {
		t.Error(err)
	}
}

func TestWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(layers.Layer)
		give(t, l, 1) // nobody works yet
		give(t, l, 2)
		got := make(chan int, 10)
		w := &layers.Worker{Puller: l, Concurrency: 1, App: office(func(ctx context.Context, c *consumer.Conn, j job) error {
			if c.Layer() != l {
				t.Error("the consumer has another layer")
			}
			if err := c.SendText(ctx, "x"); err == nil || !strings.Contains(err.Error(), "no peer") {
				t.Errorf("a send to nobody: %v", err)
			}
			got <- j.N
			return c.GroupSend(ctx, "done", jobs.New(j))
		})}
		m := &member{}
		join(t, l, "done", m)
		stop := employ(t, w)
		for n := 3; n <= 5; n++ {
			give(t, l, n)
		}
		for want := 1; want <= 5; want++ {
			if n := <-got; n != want {
				t.Errorf("got job %d, want %d", n, want)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if n, _ := m.got(); n != 5 {
			t.Errorf("the group heard of %d jobs, want 5", n)
		}
		if st := w.Stats(); st.Accepted != 5 || st.Open != 0 || st.Failures != 0 {
			t.Errorf("%+v, want 5 handled", st)
		}
	})
}

// TestWorkerTakesNoMoreThanItHandles: what is not taken waits for others.
func TestWorkerTakesNoMoreThanItHandles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(layers.Layer)
		var now, most atomic.Int64
		release := make(chan struct{})
		w := &layers.Worker{Puller: l, Concurrency: 3, App: office(func(context.Context, *consumer.Conn, job) error {
			most.Store(max(most.Load(), now.Add(1)))
			<-release
			now.Add(-1)
			return nil
		})}
		stop := employ(t, w)
		for n := range 10 {
			give(t, l, n)
		}
		synctest.Wait()
		if most.Load() != 3 {
			t.Errorf("%d at once, want 3", most.Load())
		}
		for want := 7; want > 0; want-- { // the rest can still be had
			if _, err := l.Pull(t.Context(), "jobs"); err != nil {
				t.Error(err)
			}
		}
		close(release)
		if err := stop(); err != nil || w.Stats().Accepted != 3 {
			t.Errorf("%v, %+v", err, w.Stats())
		}
	})
}

// TestWorkerGoesOn after errors, panics and what it does not understand.
func TestWorkerGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(layers.Layer)
		var log bytes.Buffer
		good := 0
		w := &layers.Worker{
			Puller: l, Concurrency: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			App: office(func(_ context.Context, _ *consumer.Conn, j job) error {
				switch j.N {
				case 1:
					return errors.New("no such picture")
				case 2:
					panic("badly wrong")
				}
				good++
				return nil
			}),
		}
		stop := employ(t, w)
		unknown := protocol.EventType[job]{Name: "unknown"}
		unfit := protocol.EventType[map[string]string]{Name: "job"}
		for _, e := range []*protocol.Event{
			jobs.New(job{1}), jobs.New(job{2}), unknown.New(job{3}), unfit.New(map[string]string{"n": "four"}), jobs.New(job{5}),
		} {
			if err := l.Send(t.Context(), "jobs", e); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		st := w.Stats()
		if good != 1 || st.Accepted != 5 || st.Failures != 2 || st.Panics != 1 || st.EventsUnknown != 1 || st.EventsUndecodable != 1 {
			t.Errorf("%d were good; %+v", good, st)
		}
		for _, want := range []string{"no such picture", "badly wrong", "conn.channel=jobs"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has not %q: %s", want, &log)
			}
		}
	})
}

// TestWorkerFinishesWhatItTook when it is stopped, within its grace.
func TestWorkerFinishesWhatItTook(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		takes time.Duration // of its time, or until ctx ends if that is heeded
		heeds bool
		stops time.Duration // how long the stop takes
		err   string
	}{
		{testkit.Here(), 3 * time.Second, false, 3 * time.Second, ""},
		{testkit.Here(), time.Hour, true, 5 * time.Second, ""},
		{testkit.Here(), time.Minute, false, 15 * time.Second, "1 events are still being handled, and 0 were not begun"},
	}
	for _, row := range rows {
		synctest.Test(t, func(t *testing.T) {
			l := new(layers.Layer)
			ended := make(chan struct{})
			w := &layers.Worker{Puller: l, Grace: 5 * time.Second, App: office(func(ctx context.Context, _ *consumer.Conn, _ job) error {
				defer close(ended)
				if !row.heeds {
					ctx = context.WithoutCancel(ctx)
				}
				select {
				case <-time.After(row.takes):
				case <-ctx.Done():
				}
				return nil
			})}
			stop := employ(t, w)
			give(t, l, 1)
			synctest.Wait()
			began := time.Now()
			err := stop()
			if took := time.Since(began); took != row.stops || (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: stopped after %v with %v, want %v and %q", row.at, took, err, row.stops, row.err)
			}
			<-ended
		})
	}
}

// flaky is a Puller that fails for a while.
type flaky struct {
	*layers.Layer
	fails atomic.Int64
}

func (f *flaky) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if f.fails.Add(-1) >= 0 {
		return nil, layers.ErrDown
	}
	return f.Layer.Pull(ctx, channel)
}

func TestWorkerWaitsForABackEndThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{Layer: new(layers.Layer)}
		f.fails.Store(8)
		got := make(chan int, 1)
		w := &layers.Worker{Puller: f, Logger: slog.New(slog.DiscardHandler), App: office(func(_ context.Context, _ *consumer.Conn, j job) error {
			got <- j.N
			return nil
		})}
		stop := employ(t, w)
		give(t, f.Layer, 7)
		began := time.Now()
		if n := <-got; n != 7 || time.Since(began) > 20*time.Second {
			t.Errorf("got %d after %v", n, time.Since(began))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestWorkerSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	app := office(nil)
	rows := []struct {
		at   testkit.Line
		w    *layers.Worker
		want string
	}{
		{testkit.Here(), &layers.Worker{App: app}, "Puller and App are required"},
		{testkit.Here(), &layers.Worker{Puller: layers.Default()}, "Puller and App are required"},
		{testkit.Here(), &layers.Worker{Puller: layers.Default(), App: router.NewChannelNameRouter(nil)}, "Channels is empty"},
		{testkit.Here(), &layers.Worker{Puller: layers.Default(), App: app, Channels: []string{"mail"}}, `no route for the channel "mail"; known channels: jobs`},
		{testkit.Here(), &layers.Worker{Puller: layers.Default(), App: app, Channels: []string{"a b"}}, "byte 1"},
	}
	for _, row := range rows {
		if err := row.w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.at, err, row.want)
		}
	}
}

// TestNamedChannel is what a channel holds without a worker: so many, in order, for
// so long.
func TestNamedChannel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(layers.Layer)
		for n := range 100 {
			give(t, l, n)
		}
		if err := l.Send(t.Context(), "jobs", jobs.New(job{100})); !errors.Is(err, layers.ErrChannelFull) {
			t.Errorf("one too many: %v", err)
		}
		if err := l.Send(t.Context(), "other", jobs.New(job{100})); err != nil {
			t.Errorf("another channel: %v", err)
		}
		var got []int
		pull := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			e, err := l.Pull(ctx, "jobs")
			if err != nil {
				return err
			}
			j, err := jobs.Payload(e)
			got = append(got, j.N)
			return err
		}
		for range 3 {
			if err := pull(); err != nil {
				t.Error(err)
			}
		}
		<-time.After(time.Minute - time.Nanosecond)
		give(t, l, 200)
		if err := pull(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Nanosecond)
		if err := pull(); err != nil || !slices.Equal(got, []int{0, 1, 2, 3, 200}) {
			t.Errorf("got %v, %v", got, err)
		}
		if err := pull(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing is left: %v", err)
		}
		if st := l.Stats(); st.Full != 1 || st.Expired != 96 {
			t.Errorf("%+v, want 1 too many and 96 expired", st)
		}
		if _, err := l.Pull(t.Context(), l.NewChannel()); err == nil || !strings.Contains(err.Error(), "not pulled") {
			t.Errorf("a consumer's channel: %v", err)
		}
	})
}

// TestPullersShare: each event is taken once, and one that is given up takes none
// along.
func TestPullersShare(t *testing.T) {
	t.Parallel()
	l := new(layers.Layer)
	const events = 2000
	got := make(chan int, events)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for ctx.Err() == nil {
				short, cancel := context.WithTimeout(ctx, 20*time.Microsecond)
				if e, err := l.Pull(short, "jobs"); err == nil {
					j, err := jobs.Payload(e)
					if err != nil {
						t.Error(err)
					}
					got <- j.N
				}
				cancel()
			}
		}()
	}
	for n := range events {
		for errors.Is(l.Send(t.Context(), "jobs", jobs.New(job{n})), layers.ErrChannelFull) {
			<-time.After(time.Millisecond)
		}
	}
	seen := map[int]bool{}
	for range events {
		n := <-got
		if seen[n] {
			t.Fatalf("%d was taken twice", n)
		}
		seen[n] = true
	}
	stop()
	for range 8 {
		<-done
	}
	if len(got) > 0 || fmt.Sprint(len(seen)) != fmt.Sprint(events) {
		t.Errorf("%d were taken, and %d more", len(seen), len(got))
	}
}

// channelsOf is the application of a worker that does the same for several channels.
func channelsOf(do func(context.Context, *consumer.Conn, job) error, names ...string) *router.ChannelNameRouter {
	app := consumer.New(func(*consumer.Scope) *clerk { return &clerk{do: do} }, consumer.On(jobs, (*clerk).work))
	apps := make(map[string]protocol.Application)
	for _, name := range names {
		apps[name] = app
	}
	return router.NewChannelNameRouter(apps)
}

// TestWorkerWaitsWithoutAPlace: a channel to which nothing is sent takes nothing
// from the others.
func TestWorkerWaitsWithoutAPlace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at          testkit.Line
		concurrency int
		channels    []string // of which the first gets everything
		events      int
		every       time.Duration // between two events
		takes       time.Duration // to handle one
		after       time.Duration // by when all are handled
	}{
		{testkit.Here(), 1, []string{"mail", "thumbnails"}, 288, 5 * time.Second, 0, 288 * 5 * time.Second},
		{testkit.Here(), 4, []string{"a", "b", "c", "d"}, 8, 0, time.Second, 2 * time.Second},
		{testkit.Here(), 2, []string{"a", "b", "c", "d", "e"}, 8, 0, time.Second, 4 * time.Second},
		{testkit.Here(), 3, []string{"a"}, 9, 0, time.Second, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := new(layers.Layer)
			var handled atomic.Int64
			w := &layers.Worker{Puller: l, Concurrency: row.concurrency, App: channelsOf(func(context.Context, *consumer.Conn, job) error {
				<-time.After(row.takes)
				handled.Add(1)
				return nil
			}, row.channels...)}
			stop := employ(t, w)
			synctest.Wait() // all channels wait
			began := time.Now()
			for n := range row.events {
				if err := l.Send(t.Context(), row.channels[0], jobs.New(job{n})); err != nil {
					t.Fatal(err)
				}
				<-time.After(row.every)
			}
			<-time.After(row.after - time.Since(began))
			synctest.Wait()
			if got := handled.Load(); got != int64(row.events) || l.Stats().Expired != 0 {
				t.Errorf("%s: %d of %d events were handled within %v, %d have expired", row.at, got, row.events, row.after, l.Stats().Expired)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWorkerServesBusyChannelsInTurn: none has to wait until another is empty, and
// no more is taken than one event per channel beside those that are handled.
func TestWorkerServesBusyChannelsInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const each = 20
		l, names := new(layers.Layer), []string{"a", "b", "c"}
		var order []int // with Concurrency 1, of one handler at a time
		w := &layers.Worker{Puller: l, Concurrency: 1, App: channelsOf(func(_ context.Context, _ *consumer.Conn, j job) error {
			<-time.After(time.Second)
			order = append(order, j.N)
			return nil
		}, names...)}
		for i, name := range names {
			for range each {
				if err := l.Send(t.Context(), name, jobs.New(job{i})); err != nil {
					t.Fatal(err)
				}
			}
		}
		stop := employ(t, w)
		<-time.After(30*time.Second + time.Millisecond)
		if err := stop(); err != nil {
			t.Error(err)
		}
		var seen [3]int
		for _, i := range order[:30] {
			seen[i]++
		}
		for i, n := range seen {
			if n < 7 || n > 13 {
				t.Errorf("of the first 30 events %d are of channel %s, want 10 or so: %v", n, names[i], order)
			}
		}
		if n := len(order); n < 31 || n > 33 {
			t.Errorf("%d events were taken when the worker was told to stop after 30, want at most one more per channel", n)
		}
	})
}

// TestWorkerFinishesWhatHasNoPlaceYet: an event that was taken while all places
// were busy is handled after the stop too, or is said to be lost.
func TestWorkerFinishesWhatHasNoPlaceYet(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		takes   time.Duration
		handled int64
		err     string
	}{
		{testkit.Here(), 2 * time.Second, 2, ""},
		{testkit.Here(), time.Hour, 0, "1 events are still being handled, and 1 were not begun"},
		{testkit.Here(), 12 * time.Second, 1, "0 events are still being handled, and 1 were not begun"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := new(layers.Layer)
			var log bytes.Buffer
			var handled atomic.Int64
			w := &layers.Worker{
				Puller: l, Concurrency: 1, Grace: 5 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil)),
				App: channelsOf(func(context.Context, *consumer.Conn, job) error {
					<-time.After(row.takes)
					handled.Add(1)
					return nil
				}, "a", "b"),
			}
			stop := employ(t, w)
			synctest.Wait()
			for _, name := range []string{"a", "b"} {
				if err := l.Send(t.Context(), name, jobs.New(job{1})); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			err := stop()
			synctest.Wait()
			n := handled.Load()
			if (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) || n != row.handled {
				t.Errorf("%s: %d were handled, %v; want %d and %q", row.at, n, err, row.handled, row.err)
			}
			if lost := strings.Contains(log.String(), "had no time left for an event"); lost != (row.err != "") {
				t.Errorf("%s: the log says %s", row.at, &log)
			}
			<-time.After(time.Hour) // for the handler that is left
		})
	}
}
