package logs_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/testkit"
)

func TestCut(t *testing.T) {
	t.Parallel()
	a := func(n int) string { return strings.Repeat("a", n) }
	for _, row := range []struct {
		at       testkit.Line
		in, want string
	}{
		{testkit.Here(), "", ""},
		{testkit.Here(), a(200), a(200)},
		{testkit.Here(), a(201), a(197) + "…"},
		{testkit.Here(), a(100_000), a(197) + "…"},
		{testkit.Here(), a(196) + "äää", a(196) + "…"},
		{testkit.Here(), a(194) + "世界世界", a(194) + "世…"},
		{testkit.Here(), a(195) + "世界世界", a(195) + "…"},
		{testkit.Here(), a(196) + "😀😀😀", a(196) + "…"},
		{testkit.Here(), strings.Repeat("\x80", 300), strings.Repeat("\x80", 197) + "…"},
	} {
		if got := logs.Cut(row.in); got != row.want {
			t.Errorf("%s: got %d bytes, %q, want %d, %q", row.at, len(got), got, len(row.want), row.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add(strings.Repeat("a", 300))
	f.Add(strings.Repeat("世", 100))
	f.Add(strings.Repeat("a", 196) + "\xf0\x9f\x98\x80" + strings.Repeat("\xff", 20))
	f.Fuzz(func(t *testing.T, s string) {
		got := logs.Cut(s)
		switch {
		case len(s) <= logs.MaxValue && got != s:
			t.Errorf("%q became %q", s, got)
		case len(got) > logs.MaxValue:
			t.Errorf("%d bytes are left", len(got))
		case !strings.HasPrefix(s, strings.TrimSuffix(got, "…")):
			t.Errorf("%q is not the beginning of %q", got, s)
		case utf8.ValidString(s) && !utf8.ValidString(got):
			t.Errorf("a character was cut: %q", got)
		}
	})
}

type panics struct{}

func (panics) Error() string { panic("a fault") }

func TestError(t *testing.T) {
	t.Parallel()
	short, bad := errors.New("short"), panics{}
	for _, row := range []struct {
		at   testkit.Line
		err  error
		want any
	}{
		{testkit.Here(), nil, nil},
		{testkit.Here(), short, short},
		{testkit.Here(), bad, bad},
		{testkit.Here(), fmt.Errorf("it was %s", strings.Repeat("x", 2000)), "it was " + strings.Repeat("x", 1024-7-3) + "…"},
	} {
		if got := logs.Error(row.err); got != row.want {
			t.Errorf("%s: got %v", row.at, got)
		}
	}
}

// TestLimiter: what is left out is counted by the next line about the same subject.
func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))
		one, two, ten := &logs.Limiter{Burst: 1}, &logs.Limiter{Burst: 2}, &logs.Limiter{}
		for _, row := range []struct {
			at      testkit.Line
			after   time.Duration
			limiter *logs.Limiter
			level   slog.Level
			subject string
			times   int
			want    string
		}{
			{testkit.Here(), 0, one, slog.LevelWarn, "a", 1000, "level=WARN msg=m k=a\n"},
			{testkit.Here(), 0, one, slog.LevelError, "b", 1, "level=ERROR msg=m k=b\n"},
			{testkit.Here(), 0, one, slog.LevelDebug, "c", 10, ""}, // is not enabled, and counts nothing
			{testkit.Here(), 0, one, slog.LevelWarn, "c", 1, "level=WARN msg=m k=c\n"},
			{testkit.Here(), logs.Interval - 1, one, slog.LevelWarn, "a", 1, ""},
			{testkit.Here(), 1, one, slog.LevelWarn, "a", 2, "level=WARN msg=m k=a left_out=1000\n"},
			{testkit.Here(), time.Hour, one, slog.LevelWarn, "a", 1, "level=WARN msg=m k=a left_out=1\n"},
			{testkit.Here(), time.Hour, one, slog.LevelWarn, "a", 1, "level=WARN msg=m k=a\n"},
			{testkit.Here(), 0, two, slog.LevelWarn, "a", 5, "level=WARN msg=m k=a\nlevel=WARN msg=m k=a\n"},
			{testkit.Here(), logs.Interval, two, slog.LevelWarn, "a", 3, "level=WARN msg=m k=a left_out=3\nlevel=WARN msg=m k=a\n"},
			{testkit.Here(), 0, ten, slog.LevelWarn, "a", 100, strings.Repeat("level=WARN msg=m k=a\n", 10)},
		} {
			<-time.After(row.after)
			out.Reset()
			for range row.times {
				row.limiter.Log(log, row.level, row.subject, "m", func() []any { return []any{"k", row.subject} })
			}
			if got := out.String(); got != row.want {
				t.Errorf("%s: got\n%swant\n%s", row.at, got, row.want)
			}
		}
	})
}

// TestLimiterIsBounded: subjects that somebody chooses cost no memory without bound.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := logs.Limiter{Burst: 1}
	written := 0
	for i := range 10_000 {
		if _, ok := l.Allow(fmt.Sprint(i)); ok {
			written++
		}
	}
	if written > 101 {
		t.Errorf("%d subjects have a line", written)
	}
}

// TestLimiterIsConcurrent: no line is lost, neither written nor counted.
func TestLimiterIsConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := logs.Limiter{Burst: 3}
		var lines, leftOut atomic.Int64
		allow := func() {
			if n, ok := l.Allow("a"); ok {
				lines.Add(1)
				leftOut.Add(n)
			}
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 100 {
					allow()
				}
			})
		}
		all.Wait()
		<-time.After(logs.Interval)
		allow()
		if lines.Load() != 4 || leftOut.Load() != 997 {
			t.Errorf("%d lines, %d left out; want 4 and 997", lines.Load(), leftOut.Load())
		}
	})
}
