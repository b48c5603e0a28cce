package protocol_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

var errStop = errors.New("stop")

// departure is a row of TestCloseAll: who is told, and when CloseAll returns.
type departure struct {
	at       testkit.Line
	deadline time.Duration // 0: none
	over     time.Duration // after which everything is
	told     int           // of 100
	took     time.Duration
	err      error
}

func TestCloseAll(t *testing.T) {
	t.Parallel()
	for _, test := range []departure{
		{testkit.Here(), 0, 2 * time.Second, 100, 2 * time.Second, nil},
		{testkit.Here(), 10 * time.Second, 2 * time.Second, 100, 2 * time.Second, nil},
		{testkit.Here(), time.Second, 2 * time.Second, 100, time.Second, errStop},
		{testkit.Here(), -time.Second, 2 * time.Second, 100, 0, errStop},
		{testkit.Here(), 0, 45 * time.Millisecond, 25, 45 * time.Millisecond, nil},
	} {
		synctest.Test(t, test.run)
	}
}

func (d *departure) run(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if d.deadline != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d.deadline, errStop)
		defer cancel()
	}
	ends := make(chan time.Time, 100)
	rigs := make([]*rig, cap(ends))
	conns := make([]*protocol.Conn, len(rigs))
	for i := range rigs {
		rigs[i] = open(t, &fakes.Handler{}, protocol.Limits{})
		conns[i] = rigs[i].Conn()
		context.AfterFunc(conns[i].Context(), func() { ends <- time.Now() })
	}
	start, over := time.Now(), make(chan struct{})
	time.AfterFunc(d.over, func() { close(over) })
	err := admission.CloseAll(ctx, conns, over, admission.ShutdownOptions{})
	took := time.Since(start)
	synctest.Wait()
	if !errors.Is(err, d.err) || (err == nil) != (d.err == nil) || took != d.took || len(ends) != d.told {
		t.Errorf("%s: %v after %v, %d told; want %v after %v, %d told", d.at, err, took, len(ends), d.err, d.took, d.told)
	}
	d.check(t, rigs, ends)
	<-over
}

// check looks at what everybody was told, and at how many it were at a time.
func (d *departure) check(t *testing.T, rigs []*rig, ends <-chan time.Time) {
	t.Helper()
	most := map[time.Time]int{}
	for range len(ends) {
		when := <-ends
		most[when]++
		if most[when] > 10 && d.deadline >= 0 {
			t.Errorf("%s: %d were told at once", d.at, most[when])
		}
	}
	for _, r := range rigs {
		if r.wire.closes() > 0 {
			if s := r.wire.closing(t); s.Code != protocol.CloseGoingAway || s.Reason != "the server is shutting down" {
				t.Errorf("%s: told %+v", d.at, s)
			}
		}
		r.vanish()
	}
}
