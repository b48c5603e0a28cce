package memory_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
)

func TestChannelLimits(t *testing.T) {
	t.Parallel()
	options := &memory.Options{Channels: []memory.ChannelLimit{
		{Pattern: "mail.urgent", Capacity: 2, Expiry: time.Second},
		{Pattern: "mail.*", Capacity: 7},
		{Pattern: "thumb[0-9]?", Expiry: time.Hour},
	}, Logger: slog.New(slog.DiscardHandler)}
	for _, row := range []struct {
		at       testkit.Line
		channel  string
		capacity int
		expiry   time.Duration
	}{
		{testkit.Here(), "mail.urgent", 2, time.Second},
		{testkit.Here(), "mail.news", 7, time.Minute},
		{testkit.Here(), "mail.a.b", 7, time.Minute},
		{testkit.Here(), "mail", 100, time.Minute},
		{testkit.Here(), "thumb1x", 100, time.Hour},
		{testkit.Here(), "thumbx1", 100, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := open(t, memory.New(options))
			for n := range row.capacity {
				if err := l.Send(t.Context(), row.channel, job(n)); err != nil {
					t.Fatalf("%s: event %d: %v", row.at, n, err)
				}
			}
			if err := l.Send(t.Context(), row.channel, job(0)); !errors.Is(err, layers.ErrChannelFull) {
				t.Errorf("%s: event %d: %v, want ErrFull", row.at, row.capacity, err)
			}
			<-time.After(row.expiry - 1)
			if _, err := l.Pull(t.Context(), row.channel); err != nil {
				t.Errorf("%s: just before the expiry: %v", row.at, err)
			}
			if err := pullNothing(t, l, row.channel); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: after the expiry: %v, want nothing to pull", row.at, err)
			}
			if got := l.Stats().Expired; got != int64(row.capacity-1) {
				t.Errorf("%s: %d expired, want %d", row.at, got, row.capacity-1)
			}
		})
	}
}

// pullNothing pulls from a channel for as long as it takes to expire.
func pullNothing(t *testing.T, l *layers.Layer, channel string) error {
	t.Helper()
	<-time.After(1)
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	_, err := l.Pull(ctx, channel)
	return err
}

// TestExpiredEventsAreLogged with their number, and not each of them.
func TestExpiredEventsAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := open(t, memory.New(&memory.Options{
			Channels: []memory.ChannelLimit{{Pattern: "mail", Expiry: 10 * time.Second}},
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		}))
		for round := range 14 { // every ten seconds
			for n := range 30 {
				if err := l.Send(t.Context(), "mail", job(n)); err != nil {
					t.Fatal(err)
				}
			}
			<-time.After(10*time.Second - 1)
			if err := pullNothing(t, l, "mail"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("pulled with %v, want nothing", err)
			}
			want := map[int]string{0: "channel=mail events=30 in_all=30", 6: "channel=mail events=180 in_all=210", 12: "channel=mail events=180 in_all=390"}[round]
			if got := log.String(); (got == "") != (want == "") || !strings.Contains(got, want) || strings.Count(got, "\n") > 1 {
				t.Errorf("round %d: logged %q, want one line with %q", round, got, want)
			}
			log.Reset()
		}
	})
}

func TestNewPanics(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at    testkit.Line
		limit memory.ChannelLimit
		want  string
	}{
		{testkit.Here(), memory.ChannelLimit{Capacity: 5}, `Channels[0].Pattern is ""`},
		{testkit.Here(), memory.ChannelLimit{Pattern: "a[", Capacity: 5}, `Channels[0].Pattern is "a["`},
		{testkit.Here(), memory.ChannelLimit{Pattern: "a", Capacity: -1}, "none may be negative"},
		{testkit.Here(), memory.ChannelLimit{Pattern: "a", Expiry: -1}, "none may be negative"},
		{testkit.Here(), memory.ChannelLimit{Pattern: "a"}, "<nil>"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, row.want) {
					t.Errorf("%s: panics with %s, want %s", row.at, got, row.want)
				}
			}()
			memory.New(&memory.Options{Channels: []memory.ChannelLimit{row.limit}})
		}()
	}
}
